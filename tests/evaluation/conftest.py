"""Tasks of every kind, and random labels and probabilities for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.mtl import Task

SIGMOID = Task("victim", ("absent", "present"), negative="absent", head="sigmoid")
BINARY = Task("useful", ("yes", "no"), negative="no")
MULTI = Task("kind", ("none", "flood", "fire", "quake"), negative="none")


@pytest.fixture
def tasks() -> tuple[Task, ...]:
    return (SIGMOID, BINARY, MULTI)


@pytest.fixture
def drawn() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Labels [n] (some unknown) of a task and random probabilities [n, classes] for them."""

    def draw(task: Task, rows: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        truth = rng.integers(-1, len(task.classes), rows)
        return truth, rng.dirichlet(np.ones(len(task.classes)), rows)

    return draw
