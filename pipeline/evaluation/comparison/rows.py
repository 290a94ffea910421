"""One row of the comparison on one seed: train it, and score it on that seed's test rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.datasets.views import Views
from pipeline.evaluation.baselines import concatenated_linear
from pipeline.evaluation.scores import label_scores
from pipeline.mtl import Task
from pipeline.params import FusionParams, MTLParams, TrainParams
from pipeline.training.examples import Examples
from pipeline.training.fit import train
from pipeline.training.model import ModelSpec
from pipeline.training.predict import predict


@dataclass(frozen=True)
class Recipe:
    """What every network of the comparison is trained with; the same for all rows."""

    learning_rate: float = 1e-3
    batch_size: int = 64
    max_epochs: int = 100
    patience: int = 10
    weight_decay: float = 0.0
    dropout: float = 0.3
    width: int = 64
    theta: float = 0.5
    alpha: float = 1.0
    beta: float = 2.0


@dataclass(frozen=True)
class Row:
    """A network (fusion and mtl), or without these logistic regression on one view, or on all."""

    fusion: str = ""
    mtl: str = ""
    view: str = ""

    @property
    def name(self) -> str:
        """What the tables call it."""
        if self.fusion:
            return f"{self.fusion} + {self.mtl}"
        return f"logistic regression, {self.view or 'all views'}"


@dataclass(frozen=True)
class Result:
    """Scores of one row on one seed; `seconds` of wall time is all that differs between runs."""

    row: str
    seed: int
    map: float
    macro_f1: float
    micro_f1: float
    hamming_loss: float
    parameters: int
    seconds: float


def comparison_rows(
    views: Sequence[str], fusions: Sequence[str], methods: Sequence[str]
) -> list[Row]:
    """List every pair, then logistic regression on all views and on each one."""
    pairs = [Row(fusion, mtl) for fusion in fusions for mtl in methods]
    single = [Row(view=view) for view in views] if len(views) > 1 else []
    return [*pairs, Row(), *single]


def run_row(row: Row, views: Views, split: np.ndarray, seed: int, recipe: Recipe) -> Result:
    """Train and score; the same arguments give the same scores on any kind of processor alike."""
    start = time.perf_counter()
    examples = view_examples(views, split)
    tasks = [label_task(name) for name in views.names]
    if row.fusion:
        probabilities, parameters = _network(row, tasks, examples, seed, recipe)
    else:
        kept = examples.keep([row.view]) if row.view else examples
        found = concatenated_linear(tasks, kept)
        probabilities = np.stack([found[name][:, 1] for name in views.names], axis=1)
        parameters = len(tasks) * (sum(kept.dims.values()) + 1)
    scores = label_scores(views.labels, probabilities, split)
    seconds = time.perf_counter() - start
    return Result(row.name, seed, **scores, parameters=parameters, seconds=seconds)


def label_task(name: str) -> Task:
    """Make a label a task of its own with one logit."""
    return Task(name, ("absent", "present"), negative="absent", head="sigmoid")


def view_examples(views: Views, split: np.ndarray) -> Examples:
    """Give each view as a sequence of one step, or of none where its row is NaN."""
    sequences = {
        name: [row[None] if not np.isnan(row[0]) else row[None][:0] for row in values]
        for name, values in views.features.items()
    }
    targets = {name: views.labels[:, label] for label, name in enumerate(views.names)}
    return Examples([str(row) for row in range(len(split))], split, sequences, targets)


def _network(
    row: Row, tasks: Sequence[Task], examples: Examples, seed: int, recipe: Recipe
) -> tuple[np.ndarray, int]:
    spec = ModelSpec(
        modalities=examples.dims,
        encoder="pooled",
        tasks=tuple(tasks),
        fusion=FusionParams(name=row.fusion, theta=recipe.theta, width=recipe.width),
        mtl=MTLParams(name=row.mtl, alpha=recipe.alpha, beta=recipe.beta),
        dropout=recipe.dropout,
    )
    params = TrainParams(
        learning_rate=recipe.learning_rate,
        batch_size=recipe.batch_size,
        max_epochs=recipe.max_epochs,
        patience=recipe.patience,
        dropout=recipe.dropout,
        weight_decay=recipe.weight_decay,
        monitor="loss",
        modalities=["visual", "text", "audio"],  # not used: the examples hold the views
    )
    network, _ = train(spec, examples, params, seed=seed)
    found = predict(network, examples, tasks, np.arange(len(examples.ids)))
    probabilities = np.stack([found[task.name][:, 1] for task in tasks], axis=1)
    return probabilities, sum(p.numel() for p in network.parameters())
