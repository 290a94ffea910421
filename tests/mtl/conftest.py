"""A small network, its batch, and the tasks they serve: float64, and the same on every machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pipeline.mtl import Task, build_mtl
from pipeline.mtl.method import MultiTaskMethod, Objective, Predictions

MIXED = (
    Task("damage", ("no", "yes"), negative="no", head="sigmoid"),
    Task("kind", ("none", "flood", "fire"), negative="none"),
    Task("victim", ("no", "yes"), negative="no", head="sigmoid"),
    Task("useful", ("no", "yes"), negative="no"),
)


class Toy(nn.Module):
    """A trunk and one two-layer head a task; weights from sines, so that no generator matters."""

    def __init__(self, tasks: Sequence[Task], width: int = 6, hidden: int = 4) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        self.trunk = nn.Linear(5, width)
        self.first = nn.ModuleList(nn.Linear(width, hidden) for _ in tasks)
        self.last = nn.ModuleList(nn.Linear(hidden, task.outputs) for task in tasks)
        self.double()
        with torch.no_grad():
            for k, parameter in enumerate(self.parameters()):
                steps = torch.arange(parameter.numel(), dtype=torch.float64)
                parameter.copy_(0.8 * torch.sin(1.7 * steps + k).view_as(parameter))

    def forward(self, x: Tensor) -> Predictions:
        joint = torch.tanh(self.trunk(x))
        hidden = {t.name: torch.tanh(f(joint)) for t, f in zip(self.tasks, self.first, strict=True)}
        logits = {t.name: f(hidden[t.name]) for t, f in zip(self.tasks, self.last, strict=True)}
        return Predictions(logits, hidden, joint)


def inputs(rows: int) -> Tensor:
    return torch.cos(0.9 * torch.arange(rows * 5, dtype=torch.float64)).view(rows, 5)


def labels(tasks: Sequence[Task], rows: int) -> dict[str, Tensor]:
    """Every class in turn, shifted from task to task; every fourth row or so unknown."""
    row = torch.arange(rows)
    targets = {}
    for f, task in enumerate(tasks):
        values = (row * (f + 2) // 3 + f) % len(task.classes)
        targets[task.name] = torch.where((row + f) % 4 == 3, -1, values)
    return targets


@pytest.fixture
def tasks() -> tuple[Task, ...]:
    return MIXED


@pytest.fixture
def toy() -> Callable[..., Toy]:
    return Toy


@pytest.fixture
def make_inputs() -> Callable[[int], Tensor]:
    return inputs


@pytest.fixture
def make_labels() -> Callable[..., dict[str, Tensor]]:
    return labels


@pytest.fixture
def batch(tasks: tuple[Task, ...]) -> tuple[Predictions, dict[str, Tensor]]:
    """Twelve rows of the four mixed tasks through a fresh toy network."""
    return Toy(tasks)(inputs(12)), labels(tasks, 12)


@pytest.fixture
def counts(tasks: tuple[Task, ...]) -> dict[str, dict[str, int]]:
    """Keyword arguments that give dmtl N/n_f = 4, 2, 8, 1."""
    return {
        "positives": dict(zip((t.name for t in tasks), (20, 40, 10, 80), strict=True)),
        "labelled": {t.name: 80 for t in tasks},
    }


@pytest.fixture
def build_dmtl(
    tasks: tuple[Task, ...], counts: dict[str, dict[str, int]]
) -> Callable[..., MultiTaskMethod]:
    return lambda **options: build_mtl("dmtl", tasks, **counts, **options).double()


@pytest.fixture
def step() -> Callable[..., Objective]:
    """Give a method one batch and end the step."""

    def run(method: MultiTaskMethod, *batch: Any) -> Objective:
        out = method.objective(*batch)
        method.on_step()
        return out

    return run
