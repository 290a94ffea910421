"""Members: networks that differ in their seed alone, whose probabilities are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from pipeline.params import TrainParams
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.examples import Examples
from pipeline.training.fit import Fitted, Log, train
from pipeline.training.learner import Score
from pipeline.training.model import ModelSpec


@dataclass(frozen=True)
class Trained:
    """The members' networks, and how each of them was trained."""

    networks: nn.ModuleList
    fitted: tuple[Fitted, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """Parameters and epochs of all members together, and each one's own best epoch."""
        return {
            "parameters": sum(p.numel() for p in self.networks.parameters()),
            "epochs": sum(fitted.epochs for fitted in self.fitted),
            "best_epochs": [fitted.best_epoch for fitted in self.fitted],
        }


def train_members(
    spec: ModelSpec,
    examples: Examples,
    params: TrainParams,
    *,
    seed: int,
    score: Score | None = None,
    log: Log | None = None,
    device: str = "cpu",
    checkpoints: Sequence[Checkpoint] = (),
) -> Trained:
    """Train `spec.members` networks one after the other, each to its own best epoch; see `train`.

    `log` gets the epochs of all members, numbered on from one to the next. `checkpoints` has one
    per member, or none.
    """
    networks, fitted = nn.ModuleList(), list[Fitted]()
    for member in range(spec.members):
        before = sum(one.epochs for one in fitted)

        def log_on(epoch: int, values: dict[str, float], before: int = before) -> None:
            if log:
                log(before + epoch, values)

        network, one = train(
            spec,
            examples,
            params,
            seed=member_seed(seed, member),
            score=score,
            log=log_on,
            device=device,
            checkpoint=checkpoints[member] if checkpoints else None,
        )
        networks.append(network)
        fitted.append(one)
    return Trained(networks, tuple(fitted))


def member_seed(seed: int, member: int) -> int:
    """Return a member's seed: the first one's is `seed`, the others' are derived from both.

    So the seeds 0, 1, ... of a comparison have no member in common.
    """
    if member == 0:
        return seed
    return int(np.random.SeedSequence((seed, member)).generate_state(1)[0])
