"""Probabilities of arrays of features, in float64: differences of them are not rounding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.network import NetworkOutput
from pipeline.mtl import Task
from pipeline.training.predict import class_probabilities


def in_double(networks: Iterable[nn.Module]) -> list[nn.Module]:
    """Return the members in float64 with dropout off; copies, the networks stay as they are."""
    return [deepcopy(network).double().eval() for network in networks]


@torch.inference_mode()
def outputs(
    networks: Sequence[nn.Module], sequences: Mapping[str, Tensor], lengths: Mapping[str, Tensor]
) -> list[NetworkOutput]:
    """Run the members of `in_double` on padded sequences (B, T_m, d_m) of lengths (B,)."""
    device = next(networks[0].parameters()).device
    sequences = {name: x.to(device).double() for name, x in sequences.items()}
    lengths = {name: count.to(device) for name, count in lengths.items()}
    return [network(sequences, lengths) for network in networks]


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


def without(
    sequences: Mapping[str, Tensor], lengths: Mapping[str, Tensor], removed: Iterable[str]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Make modalities absent from every row of a batch: no step, and lengths of 0."""
    removed = set(removed)
    return (
        {name: x[:, :0] if name in removed else x for name, x in sequences.items()},
        {name: n.clamp(max=0) if name in removed else n for name, n in lengths.items()},
    )


def joined(parts: Iterator[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Concatenate the arrays of batches along their first axis, by task."""
    batches = list(parts)
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
