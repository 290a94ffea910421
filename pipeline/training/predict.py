"""Probabilities for every sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.mtl import Task
from pipeline.training.examples import Examples


@torch.inference_mode()
def predict(
    networks: Iterable[nn.Module],
    examples: Examples,
    tasks: Sequence[Task],
    rows: np.ndarray,
    batch_size: int = 256,
) -> dict[str, np.ndarray]:
    """Predict [rows, classes] probabilities of each task: the mean over networks, dropout off.

    A sample's result does not depend on the batch size beyond rounding.
    """
    networks = [network.eval() for network in networks]
    device = next(networks[0].parameters()).device
    batches: dict[str, list[Tensor]] = {task.name: [] for task in tasks}
    for batch in examples.batches(rows, batch_size):
        batch = batch.to(device)
        logits = [network(batch.sequences, batch.lengths).logits for network in networks]
        for task in tasks:
            members = [class_probabilities(task, values[task.name]).cpu() for values in logits]
            batches[task.name].append(torch.stack(members).double().mean(dim=0))
    return {name: torch.cat(values).numpy() for name, values in batches.items()}


def class_probabilities(task: Task, logits: Tensor) -> Tensor:
    """Turn logits (B, outputs) into probabilities (B, classes)."""
    if task.head == "sigmoid":
        positive = torch.sigmoid(logits)
        return torch.cat([1 - positive, positive], dim=1)
    return torch.softmax(logits, dim=1)
