"""Every row's scores with their resamples: from the cells' predictions to estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.bootstrap import Estimate, Resamples, estimate
from pipeline.evaluation.scores import SCORES, Arrays, mean_of_defined, weighted_scores
from pipeline.mtl import Task

MEAN = "mean"


@dataclass(frozen=True)
class Cell:
    """What one row with one seed says of the test side: by task [n, classes] and [n]."""

    probabilities: Arrays
    predicted: Arrays


# By task (or MEAN, over the tasks) and score.
Estimates = dict[tuple[str, str], Estimate]


def estimate_row(
    tasks: Sequence[Task], truth: Arrays, cells: Sequence[Cell], resamples: Resamples
) -> Estimates:
    """Estimate a row from its cells, one a seed, in the same order as every other row's.

    The mean is taken over the tasks whose score is defined, within each resample.
    """
    as_they_are = np.ones((1, resamples.rows.shape[1]), np.int64)
    # First the rows as they are, then all resamples: [tasks, seeds, 1 + B] of each score.
    weights = np.concatenate([as_they_are, resamples.rows])
    found = [
        [
            weighted_scores(t, truth[t.name], c.probabilities[t.name], c.predicted[t.name], weights)
            for c in cells
        ]
        for t in tasks
    ]
    result: Estimates = {}
    for score in SCORES:
        values = np.array([[cell[score] for cell in by_seed] for by_seed in found])
        by_task: Mapping[str, np.ndarray] = {t.name: v for t, v in zip(tasks, values, strict=True)}
        for name, scores in {**by_task, MEAN: mean_of_defined(values)}.items():
            result[name, score] = estimate(scores[:, 0], scores[:, 1:], resamples)
    return result
