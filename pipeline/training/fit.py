"""Training: one network, one multi-task method, early stopping on the validation rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.ground.processes import THREADS
from pipeline.models.standardise import Standardise
from pipeline.mtl import build_mtl
from pipeline.params import TrainParams
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.examples import Examples, label_counts
from pipeline.training.learner import Learner, Score
from pipeline.training.model import ModelSpec, Network

Log = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Fitted:
    """How many epochs were run, and the best of them (from 0), whose parameters were restored."""

    epochs: int
    best_epoch: int


def make_repeatable() -> None:
    """Make torch give the same bits each time in this process; call it before training.

    Deterministic mode also fills fresh memory with NaN to expose reads before writes. That changes
    no result and costs a fifth of a training, so it is switched off.
    """
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def train(
    spec: ModelSpec,
    examples: Examples,
    params: TrainParams,
    *,
    seed: int,
    score: Score | None = None,
    log: Log | None = None,
    device: str = "cpu",
    checkpoint: Checkpoint | None = None,
) -> tuple[Network, Fitted]:
    """Build a network and train it; the same seed, data and kind of processor give the same bits.

    After each epoch `log` gets its number and its values by name: losses, task weights, and the
    scores that `score` computes from the validation rows' probabilities. Only a training that
    monitors the loss can do without `score`, and saves that pass over the validation rows.
    `checkpoint` is of these very arguments; where it holds a state, `log` first gets the epochs
    before it again. At the end it holds all of the training. The caller removes it once the result
    is stored.

    Raises:
        ValueError: if no validation row has a label, a task has no positive training row, or
            torch finds no GPU for "cuda".
        DivergenceError: where the validation loss is not finite.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("HGFN_DEVICE is 'cuda', but torch finds no GPU here; unset it")
    torch.manual_seed(seed)
    rows = examples.rows("train")
    scales = {
        name: Standardise.fit(dim, (examples.sequences[name][row] for row in rows))
        for name, dim in spec.modalities.items()
    }
    network = spec.build_network(scales).to(device)
    labelled, positives = label_counts(examples, spec.tasks)
    method = build_mtl(
        spec.mtl.name,
        spec.tasks,
        alpha=spec.mtl.alpha,
        beta=spec.mtl.beta,
        positives=positives,
        labelled=labelled,
        **spec.mtl.options,
    ).to(device)
    learner = Learner(network, method, spec.tasks, examples, params, np.random.default_rng(seed))
    return network, _fit(learner, score, log or (lambda epoch, values: None), checkpoint)


def _fit(learner: Learner, score: Score | None, log: Log, checkpoint: Checkpoint | None) -> Fitted:
    """Run epochs until the best one lies `patience` epochs back, then restore that one.

    Each epoch is judged by one value, lower being better: see `train.monitor`. A method whose cycle
    is a run starts another one from there, until a run does not improve on the best value.
    """
    params = learner.params
    best, epochs, ended = _Best(), list[dict[str, float]](), False

    def state() -> dict[str, Any]:
        own = {"learner": learner.state(), "best": vars(best)}
        return {**own, "epochs": epochs, "ended": ended}

    if checkpoint and (stored := checkpoint.load()):
        learner.load_state(stored["learner"])
        best, epochs, ended = _Best(**stored["best"]), stored["epochs"], stored["ended"]
        checkpoint.notify(f"resumes at epoch {len(epochs)}")
    for epoch, values in enumerate(epochs):
        log(epoch, values)
    while not ended:
        epoch, values = len(epochs), learner.epoch(score)
        epochs.append(values)
        log(epoch, values)
        best.update(_monitored(values, params.monitor), epoch, learner.network)
        ended = epoch + 1 == params.max_epochs
        if not ended and epoch - max(best.epoch, best.run - 1) >= params.patience:
            ended = best.epoch < best.run or not learner.method.on_run_end()
            if not ended:
                learner.start_run(best.network)
                best.run = epoch + 1
        if checkpoint:
            checkpoint.save(state, at_once=ended)
    learner.network.load_state_dict(best.network)
    return Fitted(len(epochs), best.epoch)


def _monitored(values: Mapping[str, float], monitor: str) -> float:
    """Return the value to minimise, of an epoch's logged ones."""
    if monitor == "loss":
        return values["loss/validation_relative"]
    if f"validation/mean_{monitor}" not in values:
        raise ValueError(
            f"train.monitor is {monitor}, but no validation row is positive in any task; set it to "
            "loss"
        )
    return -values[f"validation/mean_{monitor}"]


@dataclass
class _Best:
    """The best epoch so far: its monitored value, lower being better, and the network's state.

    run: the first epoch of the current run, see `_fit`.
    """

    value: float = math.inf
    epoch: int = -1
    run: int = 0
    network: dict[str, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def update(self, value: float, epoch: int, network: nn.Module) -> None:
        """Take an epoch that is better; one whose value is not a number never is."""
        if value < self.value:
            self.value, self.epoch = float(value), epoch
            for name, tensor in network.state_dict().items():
                # Into the same memory every time.
                self.network.setdefault(name, torch.empty_like(tensor)).copy_(tensor)
