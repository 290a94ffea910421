"""What did it learn from: weights in the fusion, and what each modality adds, or is worth alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.evaluation.comparison.estimates import MEAN
from pipeline.explanation.network_weights import vertex_weights
from pipeline.explanation.shapley import modality_shapley
from pipeline.report.material import Material
from pipeline.report.quality import SINGLE
from pipeline.training.examples import Examples
from pipeline.training.model import ModelSpec
from pipeline.training.predict import InDouble

# By task and modality: what it adds [rows] to the probability of the decision.
Contributions = Mapping[str, Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Weight:
    """A vertex of the fusion: its mean weight over the samples that have it, and 5 % to 95 %."""

    vertex: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Level:
    """The weights of one level of the fusion, of all tasks or of one."""

    title: str
    weights: Sequence[Weight]


def fusion_levels(members: Sequence[InDouble], examples: Examples, rows: np.ndarray) -> list[Level]:
    """Summarise the fusion's weights over the given rows by level; empty if it has none.

    A vertex counts in the samples that have all of its modalities.
    """
    table = vertex_weights(members, examples, rows)
    by_level = table.groupby(["task", "level"], sort=False, dropna=False)
    return [_level(task, str(level), lines) for (task, level), lines in by_level]


def _level(task: object, level: str, lines: pd.DataFrame) -> Level:
    title = f"{task}: {level}" if isinstance(task, str) else level
    weights = []
    for vertex, of_vertex in lines.groupby("vertex", sort=False):
        values = of_vertex["weight"].to_numpy(np.float64)
        low, high = np.quantile(values, [0.05, 0.95])
        weights.append(Weight(str(vertex), float(values.mean()), float(low), float(high)))
    return Level(title, weights)


def contributions(
    members: Sequence[InDouble],
    spec: ModelSpec,
    examples: Examples,
    rows: np.ndarray,
    decided: Mapping[str, np.ndarray],
) -> Contributions:
    """Compute each modality's Shapley value for the class `decided[task]` [rows] of the rows."""
    values = modality_shapley(members, spec, examples, rows)
    result = {}
    for task, codes in decided.items():
        of_decision = np.take_along_axis(values[task], codes[:, None, None], axis=2)[:, :, 0]
        result[task] = dict(zip(sorted(spec.modalities), of_decision.T, strict=True))
    return result


def shares(contributions: Contributions) -> list[tuple[str, dict[str, float]]]:
    """Return by task the mean size of each modality's Shapley value."""
    return [
        (task, {modality: float(np.abs(v).mean()) for modality, v in values.items()})
        for task, values in contributions.items()
    ]


def alone(material: Material) -> list[tuple[str, list[float]]]:
    """Return each modality's MAP alone: of the means, then of each task."""
    names = [MEAN, *(task.name for task in material.tasks)]
    return [
        (
            baseline.removeprefix(SINGLE),
            [float(scores.get(name, {}).get("map", math.nan)) for name in names],
        )
        for baseline, scores in material.baselines.items()
        if baseline.startswith(SINGLE)
    ]
