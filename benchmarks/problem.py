"""The network and the batch that are timed: HGFN on pooled vectors, a few labels unknown."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.models.encoders import PooledVector
from pipeline.models.fusion import build_fusion
from pipeline.models.network import MultimodalNetwork, TaskHeads, Trunk
from pipeline.models.standardise import Standardise
from pipeline.mtl import Task, build_mtl
from pipeline.mtl.method import MultiTaskMethod, Predictions


@dataclass(frozen=True)
class Size:
    """How large the problem is; the defaults are the video set's."""

    dims: tuple[int, ...] = (2048, 1024, 1024)
    tasks: int = 7
    batch: int = 64
    width: int = 256

    @property
    def widths(self) -> dict[str, int]:
        """Width of each modality by its name."""
        return {f"modality{m}": dim for m, dim in enumerate(self.dims)}


def make_tasks(count: int) -> list[Task]:
    """Binary concepts, one logit each."""
    return [Task(f"task{f}", ("no", "yes"), negative="no", head="sigmoid") for f in range(count)]


def make_features(size: Size) -> dict[str, Tensor]:
    """One vector per modality and row."""
    generator = torch.Generator().manual_seed(1)
    return {m: torch.randn(size.batch, d, generator=generator) for m, d in size.widths.items()}


def make_targets(size: Size) -> dict[str, Tensor]:
    """Labels; one in ten is unknown."""
    generator = torch.Generator().manual_seed(2)
    shape = (size.batch, size.tasks)
    labels = torch.randint(0, 2, shape, generator=generator)
    labels[torch.rand(shape, generator=generator) < 0.1] = -1
    return {f"task{f}": column for f, column in enumerate(labels.unbind(dim=1))}


def build_network(size: Size) -> MultimodalNetwork:
    """Build the same network at every call."""
    torch.manual_seed(0)
    fusion = build_fusion("hgfn", size.widths, width=size.width)
    outputs = {task.name: 1 for task in make_tasks(size.tasks)}
    return MultimodalNetwork(
        {name: PooledVector(dim) for name, dim in size.widths.items()},
        fusion,
        Trunk(fusion.joint_dim, size.width, dropout=0.0),
        TaskHeads(size.width, outputs, dropout=0.0),
        {name: Standardise(dim) for name, dim in size.widths.items()},
    )


def build_method(name: str, size: Size) -> MultiTaskMethod:
    """Build a method; dmtl's weights move from the first step on, as later in training."""
    tasks = make_tasks(size.tasks)
    if name != "dmtl":
        return build_mtl(name, tasks)
    positives = {task.name: 10 + f for f, task in enumerate(tasks)}
    labelled = dict.fromkeys(positives, 100)
    return build_mtl(name, tasks, positives=positives, labelled=labelled, initial="theory")


class Trainer:
    """A network, a method and one batch; `step` is a training step on it."""

    def __init__(self, method: str, size: Size) -> None:
        self.network = build_network(size)
        self.method = build_method(method, size)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-4)
        self.sequences = {m: x.unsqueeze(1) for m, x in make_features(size).items()}
        self.lengths = {m: torch.ones(size.batch, dtype=torch.int64) for m in self.sequences}
        self.targets = make_targets(size)

    def predictions(self) -> Predictions:
        """Forward pass."""
        out = self.network(self.sequences, self.lengths)
        return Predictions(out.logits, out.hidden, out.shared, out.auxiliary)

    def step(self) -> float:
        """One step, as the training loop does it; returns the loss."""
        objective = self.method.objective(self.predictions(), self.targets)
        self.optimizer.zero_grad()
        objective.loss.backward()
        self.optimizer.step()
        self.method.on_step()
        return objective.loss.item()
