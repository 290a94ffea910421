"""Scores of weighted rows, many weightings at once: what resampling needs of the metrics."""

from __future__ import annotations

import numpy as np

from pipeline.mtl import Task

SCORES = ("f1", "hl", "map", "accuracy")


def weighted_scores(
    task: Task,
    truth: np.ndarray,
    probabilities: np.ndarray,
    predicted: np.ndarray,
    weights: np.ndarray,
) -> dict[str, np.ndarray]:
    """Score one task under each row of `weights` [B, n]: arrays [B] of f1, hl, map, accuracy.

    With whole numbers a weight counts how often a row stands there, and the scores are those of
    `metrics.task_scores` on the rows so repeated. Where those would be made up for want of a
    labelled row, or of a binary task's positive ones, they are NaN here.
    """
    known = truth >= 0
    truth, probabilities, predicted = truth[known], probabilities[known], predicted[known]
    weights = weights[:, known].astype(np.float64)
    error = _ratio(weights @ (truth != predicted), weights.sum(axis=1))
    return {
        "f1": _headline_f1(task, truth, predicted, weights),
        "hl": error,
        "map": weighted_map(task, truth, probabilities, weights),
        "accuracy": 1 - error,
    }


def average_precision(hot: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum the precision at each threshold times the recall gained there: [B]; NaN if no positive.

    `hot` [n] marks the positives, equal `scores` [n] share one threshold; weights are [B, n].
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    found = np.cumsum(weights[:, order], axis=1)[:, last]
    hits = np.cumsum(weights[:, order] * hot[order], axis=1)[:, last]
    precision = np.divide(hits, found, out=np.zeros_like(hits), where=found > 0)
    gained = np.diff(hits, axis=1, prepend=0)
    return _ratio((precision * gained).sum(axis=1), hits[:, -1])


def weighted_map(
    task: Task, truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Average the average precision over the classes that occur: [B]; NaN where none does.

    A row of which the label is unknown (-1) is left out.
    """
    known = truth >= 0
    truth, probabilities, weights = truth[known], probabilities[known], weights[:, known]
    classes = [c for c in _scored_classes(task) if (truth == c).any()]
    if not classes:
        return np.full(len(weights), np.nan)
    values = [average_precision(truth == c, probabilities[:, c], weights) for c in classes]
    return mean_of_defined(np.stack(values))


def _scored_classes(task: Task) -> list[int]:
    return [1] if task.head == "sigmoid" else list(range(len(task.classes)))


def _headline_f1(
    task: Task, truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    if task.positive is not None:
        found = _f1(truth == task.positive, predicted == task.positive, weights)
        there = weights @ (truth == task.positive) > 0
        return np.where(there, found, np.nan)
    classes = range(len(task.classes))
    return mean_of_defined(np.stack([_f1(truth == c, predicted == c, weights) for c in classes]))


def _f1(truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    hits, ends = weights @ (truth & predicted), weights @ truth + weights @ predicted
    return _ratio(2 * hits, ends)


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Average over the first axis what is not NaN; NaN where nothing is left."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    result = np.full(np.shape(above), np.nan)
    return np.divide(above, below, out=result, where=below > 0)
