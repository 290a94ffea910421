"""Probabilities for every sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.network import NetworkOutput
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


def final_probabilities(
    networks: Iterable[nn.Module], examples: Examples, tasks: Sequence[Task]
) -> dict[str, np.ndarray]:
    """Predict every row as `predict` does, to the same bits alone and among others.

    The last digits of a network's result depend on the size of the batch. It is computed in float64
    and rounded to float32, where they are gone. A network that is `InDouble` already is not copied.
    """
    rows = np.arange(len(examples.ids))
    members = [n if isinstance(n, InDouble) else InDouble(n) for n in networks]
    exact = predict(members, examples, tasks, rows)
    return {name: values.astype(np.float32).astype(np.float64) for name, values in exact.items()}


class InDouble(nn.Module):
    """A copy of a network that computes in float64."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = deepcopy(network).double()

    def forward(
        self, sequences: Mapping[str, Tensor], lengths: Mapping[str, Tensor]
    ) -> NetworkOutput:
        """Run the network on padded sequences of any precision."""
        output: NetworkOutput = self.network(
            {name: values.double() for name, values in sequences.items()}, lengths
        )
        return output


def class_probabilities(task: Task, logits: Tensor) -> Tensor:
    """Turn logits (B, outputs) into probabilities (B, classes)."""
    if task.head == "sigmoid":
        positive = torch.sigmoid(logits)
        return torch.cat([1 - positive, positive], dim=1)
    return torch.softmax(logits, dim=1)
