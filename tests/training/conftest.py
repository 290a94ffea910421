"""Small data sets that a network can learn in seconds, and one call that trains on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.evaluation.scores import select, validation_scores
from pipeline.models.network import MultimodalNetwork
from pipeline.mtl import Task
from pipeline.params import FusionParams, MTLParams, TrainParams
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.examples import Examples
from pipeline.training.fit import Fitted, Log, train
from pipeline.training.learner import Score
from pipeline.training.model import ModelSpec

TASKS = (
    Task("useful", ("no", "yes"), negative="no"),
    Task("kind", ("none", "flood", "fire"), negative="none"),
    Task("victim", ("absent", "present"), negative="absent", head="sigmoid"),
)
PARAMS = TrainParams(
    learning_rate=0.01,
    batch_size=8,
    max_epochs=4,
    patience=10,
    dropout=0.1,
    weight_decay=0.0,
    monitor="loss",
    modalities=["visual", "text"],
)
Run = tuple[MultimodalNetwork, Fitted, list[dict[str, float]]]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def examples(rows: int = 50, longest: int = 1, seed: int = 0) -> Examples:
    """Rows whose labels follow from the features: 60/20/20, sequences of up to `longest` steps.

    Of every seven rows one has no text and one no visual; every fifth label is unknown.
    """
    rng = np.random.default_rng(seed)
    row = np.arange(rows)
    useful, kind, victim = row % 2, row % 3, (row // 2) % 2
    means = {
        "text": np.stack([useful, kind == 1, kind == 2], 1),
        "visual": np.stack([victim, kind == 1, useful, kind == 2], 1),
    }
    sequences = {}
    for place, (name, mean) in enumerate(means.items()):
        lengths = np.where(row % 7 == place, 0, 1 + row % longest)
        sequences[name] = [
            (4 * m - 2 + 0.3 * rng.normal(size=(n, len(m)))).astype(np.float32)
            for m, n in zip(mean, lengths, strict=True)
        ]
    targets = {"useful": useful, "kind": kind, "victim": victim}
    for place, (name, values) in enumerate(targets.items()):
        targets[name] = np.where(row % 5 == place, -1, values).astype(np.int64)
    sides = np.array(["train", "train", "train", "val", "test"])[(row // 6) % 5]
    return Examples([f"r{i:03d}" for i in row], sides, sequences, targets)


def make_spec(
    dims: dict[str, int],
    tasks: Sequence[Task] = TASKS,
    fusion: str = "cfc",
    mtl: str = "lsew",
    encoder: Any = "pooled",
    width: int = 8,
    options: dict[str, Any] | None = None,
    **changes: Any,
) -> ModelSpec:
    """Return the specification of a small network."""
    fusion_params = FusionParams(name=fusion, theta=0.5, width=width)
    mtl_params = MTLParams(name=mtl, alpha=1.0, beta=2.0, options=options or {})
    spec = ModelSpec(dims, encoder, tuple(tasks), fusion_params, mtl_params, dropout=0.1)
    return replace(spec, **changes)


def train_small(
    data: Examples,
    tasks: Sequence[Task] = TASKS,
    seed: int = 0,
    fusion: str = "cfc",
    mtl: str = "lsew",
    encoder: str = "pooled",
    score: Score | None = None,
    log: Log | None = None,
    checkpoint: Checkpoint | None = None,
    options: dict[str, Any] | None = None,
    **changes: Any,
) -> Run:
    """Train a small network; returns it, how it went, and what was logged an epoch."""
    spec = make_spec(data.dims, tasks, fusion, mtl, encoder, options=options or {})
    params = PARAMS.model_copy(update=changes)
    truth = select(data.targets, data.rows("val"))
    epochs: list[dict[str, float]] = []

    def record(epoch: int, values: dict[str, float]) -> None:
        assert epoch == len(epochs)
        epochs.append(values)
        if log:
            log(epoch, values)

    score = score or partial(validation_scores, spec.tasks, truth)
    network, fitted = train(
        spec, data, params, seed=seed, score=score, log=record, checkpoint=checkpoint
    )
    return network, fitted, epochs


@pytest.fixture
def tasks() -> tuple[Task, ...]:
    return TASKS


@pytest.fixture
def params() -> TrainParams:
    return PARAMS


@pytest.fixture
def make_examples() -> Callable[..., Examples]:
    return examples


@pytest.fixture
def run() -> Callable[..., Run]:
    return train_small


@pytest.fixture
def spec_of() -> Callable[..., ModelSpec]:
    return make_spec
