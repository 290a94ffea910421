"""From probabilities to decisions: the threshold of each task, chosen on validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.mtl import Task

HALF = 0.5
Arrays = Mapping[str, np.ndarray]


def decide(task: Task, probabilities: np.ndarray, threshold: float = HALF) -> np.ndarray:
    """Turn probabilities [n, classes] into classes [n].

    A sigmoid task is positive from `threshold` on; a softmax task takes its likeliest class.
    """
    if task.head == "sigmoid":
        return (probabilities[:, 1] >= threshold).astype(np.int64)
    return probabilities.argmax(axis=1)


def choose_thresholds(
    tasks: Sequence[Task], truth: Arrays, probabilities: Arrays, rule: str
) -> dict[str, float]:
    """Choose each task's threshold: 0.5, or for rule "validation" a sigmoid task's best by F1.

    `truth` and `probabilities` are those of the validation rows.
    """
    return {
        task.name: best_threshold(truth[task.name], probabilities[task.name][:, 1])
        if rule == "validation" and task.head == "sigmoid"
        else HALF
        for task in tasks
    }


def best_threshold(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the threshold with the best F1 on labelled rows; 0.5 where there is no positive.

    Among equals the one nearest to 0.5 wins: with few rows, distant ones are luck.
    """
    known = truth >= 0
    truth, scores = truth[known], scores[known]
    positives = scores[truth == 1]
    if not len(positives):
        return HALF
    levels = np.unique(scores)
    # One candidate for each possible decision; at the lowest level all rows are positive.
    candidates = np.concatenate([[HALF], levels[:1], (levels[:-1] + levels[1:]) / 2])
    hits, selected = _at_least(positives, candidates), _at_least(scores, candidates)
    quality = 2 * hits / (selected + len(positives))
    ranked = sorted(zip(quality, -abs(candidates - HALF), candidates, strict=True))
    return float(ranked[-1][2])


def _at_least(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    return len(scores) - np.searchsorted(np.sort(scores), thresholds)
