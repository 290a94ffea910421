"""A network's probabilities for every sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.mtl import Task
from pipeline.training.examples import Examples


@torch.inference_mode()
def predict(
    network: nn.Module,
    examples: Examples,
    tasks: Sequence[Task],
    rows: np.ndarray,
    batch_size: int = 256,
) -> dict[str, np.ndarray]:
    """Predict [rows, classes] probabilities of each task, with dropout off.

    A sample's result does not depend on the batch size beyond rounding.
    """
    network.eval()
    device = next(network.parameters()).device
    batches: dict[str, list[Tensor]] = {task.name: [] for task in tasks}
    for batch in examples.batches(rows, batch_size):
        batch = batch.to(device)
        logits = network(batch.sequences, batch.lengths).logits
        for task in tasks:
            batches[task.name].append(class_probabilities(task, logits[task.name]).cpu())
    return {name: torch.cat(values).double().numpy() for name, values in batches.items()}


def class_probabilities(task: Task, logits: Tensor) -> Tensor:
    """Turn logits (B, outputs) into probabilities (B, classes)."""
    if task.head == "sigmoid":
        positive = torch.sigmoid(logits)
        return torch.cat([1 - positive, positive], dim=1)
    return torch.softmax(logits, dim=1)
