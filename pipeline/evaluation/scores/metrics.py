"""F1, Hamming loss and average precision of one task, of rows with weights.

`weights` [B, n] holds B weightings of the n rows, for instance how often a resample drew each row;
scores are arrays [B]. Weights of 1 give the plain scores, which equal scikit-learn's.
"""

from __future__ import annotations

import numpy as np

from pipeline.mtl import Task

SCORES = ("f1", "hl", "map", "accuracy")
Scores = dict[str, float | int]


def f1(truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return 2 TP / (2 TP + FP + FN) of the boolean arrays [n]; NaN where that is 0 / 0."""
    hits = weights @ (truth & predicted)
    return _ratio(2 * hits, weights @ truth + weights @ predicted)


def average_precision(hot: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum the precision at each threshold times the recall gained there; NaN without a positive.

    `hot` [n] marks the positives; rows with equal `scores` [n] share one threshold.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    selected = np.cumsum(weights[:, order], axis=1, dtype=float)[:, last]
    hits = np.cumsum(weights[:, order] * hot[order], axis=1, dtype=float)[:, last]
    precision = np.divide(hits, selected, out=np.zeros_like(hits), where=selected > 0)
    gained = np.diff(hits, axis=1, prepend=0)
    return _ratio((precision * gained).sum(axis=1), hits[:, -1])


def mean_average_precision(
    task: Task,
    truth: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Average the one-vs-rest average precision over the classes with a positive; NaN if none has.

    A sigmoid task has the one class `positive`. Rows with an unknown label (-1) are left out.
    """
    known = truth >= 0
    weights = np.ones((1, len(truth))) if weights is None else weights
    truth, probabilities, weights = truth[known], probabilities[known], weights[:, known]
    classes = [1] if task.head == "sigmoid" else range(len(task.classes))
    values = [
        average_precision(truth == c, probabilities[:, c], weights)
        for c in classes
        if (truth == c).any()
    ]
    return mean_of_defined(np.stack(values)) if values else np.full(len(weights), np.nan)


def weighted_scores(
    task: Task,
    truth: np.ndarray,
    probabilities: np.ndarray,
    predicted: np.ndarray,
    weights: np.ndarray,
) -> dict[str, np.ndarray]:
    """Score one task by f1, hl, map and accuracy under each weighting.

    `truth` and `predicted` [n] are class numbers, -1 where the label is unknown (left out). A score
    is NaN where it has no labelled row, and F1 and MAP of a binary task where it has no positive.
    """
    known = truth >= 0
    truth, probabilities, predicted = truth[known], probabilities[known], predicted[known]
    weights = weights[:, known].astype(np.float64)
    error = _ratio(weights @ (truth != predicted), weights.sum(axis=1))
    return {
        "f1": _headline_f1(task, truth, predicted, weights),
        "hl": error,
        "map": mean_average_precision(task, truth, probabilities, weights),
        "accuracy": 1 - error,
    }


def task_scores(
    task: Task, truth: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray
) -> Scores:
    """Score one task on rows that count once each; an undefined score is 0.

    - `f1`: macro over the classes that occur; for a binary task, that of its positive class.
    - `hl`: Hamming loss, the fraction of wrong labels; `hl_onehot` counts the cells of the one-hot
      table instead, 2 hl / classes.
    - `map`: mean over the classes with a positive of the average precision of their probabilities;
      for a sigmoid task, the average precision of its one label.
    - `support`: labelled rows. A task without any has no other score.
    """
    known = truth >= 0
    truth, probabilities, predicted = truth[known], probabilities[known], predicted[known]
    if not len(truth):
        return {"support": 0}
    once = np.ones((1, len(truth)))
    arrays = weighted_scores(task, truth, probabilities, predicted, once)
    counts = np.bincount(truth, minlength=len(task.classes))
    by_class = _f1_by_class(task, truth, predicted, once)
    arrays |= {
        "f1_micro": arrays["accuracy"],  # each row has one true and one predicted class
        "f1_macro": mean_of_defined(by_class),
        "f1_weighted": counts @ np.nan_to_num(by_class) / len(truth),
    }
    if task.head == "softmax":
        arrays["hl_onehot"] = 2 * arrays["hl"] / len(task.classes)
    if task.binary:
        arrays["f1_minority"] = by_class[counts.argmin()]
    return {name: float(np.nan_to_num(value[0])) for name, value in arrays.items()} | {
        "support": len(truth)
    }


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Average what is not NaN over the first axis; NaN where everything is."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0))


def _headline_f1(
    task: Task, truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    by_class = _f1_by_class(task, truth, predicted, weights)
    if task.positive is None:
        return mean_of_defined(by_class)
    occurs = weights @ (truth == task.positive) > 0
    return np.where(occurs, by_class[task.positive], np.nan)


def _f1_by_class(
    task: Task, truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return [classes, B]."""
    classes = range(len(task.classes))
    return np.stack([f1(truth == c, predicted == c, weights) for c in classes])


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    result = np.full(np.shape(above), np.nan)
    return np.divide(above, below, out=result, where=below > 0)
