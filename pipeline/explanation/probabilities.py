"""Probabilities of arrays of features, in float64: their differences are not rounding errors."""

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

BATCH = 256  # samples that the networks take at once


def in_double(networks: Iterable[nn.Module]) -> list[InDouble]:
    """Copy a model's networks to float64 with dropout off: the members that explanations take."""
    return [InDouble(network).eval() for network in networks]


@torch.inference_mode()
def outputs(members: Sequence[InDouble], batch: Batch) -> list[NetworkOutput]:
    """Run the members on a batch."""
    batch = batch.to(next(members[0].parameters()).device)
    return [member(batch.sequences, batch.lengths) for member in members]


def mean_probabilities(
    members: Sequence[InDouble], batch: Batch, tasks: Iterable[Task]
) -> dict[str, np.ndarray]:
    """Return each task's class probabilities [B, classes], the mean over the members."""
    logits, means = [output.logits for output in outputs(members, batch)], {}
    for task in tasks:
        each = [class_probabilities(task, values[task.name]) for values in logits]
        means[task.name] = torch.stack(each).mean(dim=0).cpu().numpy()
    return means


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
