"""F1, Hamming loss and mean average precision of one task, each under its full name."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, f1_score
from sklearn.preprocessing import label_binarize

from pipeline.mtl import Task

Scores = dict[str, float | int]


def decide(task: Task, probabilities: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Turn probabilities [n, classes] into classes [n].

    A sigmoid task is positive from `threshold` on; a softmax task takes its likeliest class.
    """
    if task.head == "sigmoid":
        return (probabilities[:, 1] >= threshold).astype(np.int64)
    return probabilities.argmax(axis=1)


def task_scores(
    task: Task, truth: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray
) -> Scores:
    """Score one task on rows of which the label may be unknown (-1: left out).

    - `f1`: macro over the classes that occur; of a binary task, of its positive class.
    - `hl`: Hamming loss, the fraction of wrong labels; `hl_onehot` counts the cells of the one-hot
      table instead, 2 hl / classes.
    - `map`: mean over the classes with a positive of the average precision of their scores; of a
      sigmoid task, the average precision of its one label.
    - `support`: labelled rows. A task without any has no other score.
    """
    known = truth >= 0
    truth, probabilities, predicted = truth[known], probabilities[known], predicted[known]
    if not len(truth):
        return {"support": 0}
    error = float((truth != predicted).mean())
    scores = {
        "f1": _headline_f1(task, truth, predicted),
        "hl": error,
        "map": mean_average_precision(task, truth, probabilities),
        "accuracy": 1 - error,
        **{f"f1_{name}": _f1(truth, predicted, name) for name in ("micro", "macro", "weighted")},
        "support": len(truth),
    }
    if task.head == "softmax":
        scores["hl_onehot"] = 2 * error / len(task.classes)
    if task.binary:
        counts = np.bincount(truth, minlength=2)
        scores["f1_minority"] = _f1_of_class(truth, predicted, int(counts.argmin()))
    return scores


def mean_average_precision(task: Task, truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Average the one-vs-rest average precision over classes that occur in `truth` [n]; 0 if none.

    Scores are probabilities, never decisions; a sigmoid task has the one class `positive`.
    """
    hot = label_binarize(truth, classes=range(len(task.classes) + 1))[:, :-1]
    classes = [1] if task.head == "sigmoid" else range(len(task.classes))
    values = [
        average_precision_score(hot[:, c], probabilities[:, c]) for c in classes if hot[:, c].any()
    ]
    return float(np.mean(values)) if values else 0.0


def mean_scores(scores: dict[str, Scores]) -> Scores:
    """Average f1, hl and map over the tasks that have support."""
    scored = [task for task in scores.values() if task["support"]]
    if not scored:
        raise ValueError("no test row has a label in any task: there is nothing to score")
    return {name: float(np.mean([task[name] for task in scored])) for name in ("f1", "hl", "map")}


def best_threshold(truth: np.ndarray, scores: np.ndarray) -> float:
    """Find the threshold with the best F1 on labelled rows; 0.5 where there is no positive.

    Among equals the one nearest to 0.5 wins: with few rows, distant ones are luck.
    """
    known = truth >= 0
    truth, scores = truth[known], scores[known]
    if not (truth == 1).any():
        return 0.5
    levels = np.unique(scores)
    # Every decision there is: at the lowest level all rows are positive.
    candidates = np.concatenate([[0.5], levels[:1], (levels[:-1] + levels[1:]) / 2])
    found = _at_least(scores, candidates)
    hits = _at_least(scores[truth == 1], candidates)
    quality = 2 * hits / (found + (truth == 1).sum())
    ranked = sorted(zip(quality, -abs(candidates - 0.5), candidates, strict=True))
    return float(ranked[-1][2])


def _at_least(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return len(scores) - np.searchsorted(np.sort(scores), thresholds)


def confusion(task: Task, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Count labelled rows by true (row) and predicted (column) class."""
    known = truth >= 0
    counts = np.zeros((len(task.classes), len(task.classes)), np.int64)
    np.add.at(counts, (truth[known], predicted[known]), 1)
    return counts


def _headline_f1(task: Task, truth: np.ndarray, predicted: np.ndarray) -> float:
    if task.positive is not None:
        return _f1_of_class(truth, predicted, task.positive)
    return _f1(truth, predicted, "macro")


def _f1(truth: np.ndarray, predicted: np.ndarray, average: str) -> float:
    return float(f1_score(truth, predicted, average=average, zero_division=0.0))


def _f1_of_class(truth: np.ndarray, predicted: np.ndarray, positive: int) -> float:
    return float(f1_score(truth == positive, predicted == positive, zero_division=0.0))
