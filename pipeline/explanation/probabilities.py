"""Probabilities of arrays of features, in float64: differences of them are not rounding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from pipeline.models.network import NetworkOutput
from pipeline.mtl import Task
from pipeline.training.examples import Batch
from pipeline.training.predict import InDouble, class_probabilities


def in_double(networks: Iterable[nn.Module]) -> list[nn.Module]:
    """Return the members in float64 with dropout off; copies, the networks stay as they are."""
    return [InDouble(network).eval() for network in networks]


@torch.inference_mode()
def outputs(members: Sequence[nn.Module], batch: Batch) -> list[NetworkOutput]:
    """Run the members of `in_double` on a batch."""
    batch = batch.to(next(members[0].parameters()).device)
    return [member(batch.sequences, batch.lengths) for member in members]


def mean_probabilities(
    members: Sequence[NetworkOutput], tasks: Iterable[Task]
) -> dict[str, np.ndarray]:
    """Return each task's class probabilities [B, classes]: the mean over the members' outputs."""
    return {
        task.name: torch.stack(
            [class_probabilities(task, member.logits[task.name]) for member in members]
        )
        .mean(dim=0)
        .cpu()
        .numpy()
        for task in tasks
    }


def without(batch: Batch, modalities: Iterable[str]) -> Batch:
    """Make modalities absent from every row of a batch: no step, and lengths of 0."""
    steps = {name: batch.sequences[name][:, :0] for name in modalities}
    lengths = {name: torch.zeros_like(batch.lengths[name]) for name in steps}
    return replace(
        batch, sequences={**batch.sequences, **steps}, lengths={**batch.lengths, **lengths}
    )


def joined(parts: Iterator[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Concatenate the arrays of batches along their first axis, by task."""
    batches = list(parts)
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
