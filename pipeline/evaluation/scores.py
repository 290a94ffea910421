"""All tasks' scores at once, for a validation epoch or a test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.evaluation.metrics import (
    Scores,
    best_threshold,
    decide,
    mean_scores,
    task_scores,
)
from pipeline.mtl import Task

Arrays = Mapping[str, np.ndarray]


def score_tasks(
    tasks: Sequence[Task], truth: Arrays, probabilities: Arrays, thresholds: Mapping[str, float]
) -> dict[str, Scores]:
    """Score every task, and their mean under "mean"; see `metrics.task_scores`."""
    scores = {}
    for task in tasks:
        predicted = decide(task, probabilities[task.name], thresholds[task.name])
        scores[task.name] = task_scores(task, truth[task.name], probabilities[task.name], predicted)
    return {**scores, "mean": mean_scores(scores)}


def validation_scores(
    tasks: Sequence[Task], truth: Arrays, probabilities: Arrays
) -> dict[str, float]:
    """Score a validation epoch: mean F1 at threshold 0.5, mean Hamming loss, MAP by task."""
    half = dict.fromkeys((task.name for task in tasks), 0.5)
    scores = score_tasks(tasks, truth, probabilities, half)
    maps = {f"map/{task.name}": scores[task.name].get("map", 0.0) for task in tasks}
    return {**{f"mean_{name}": value for name, value in scores["mean"].items()}, **maps}


def choose_thresholds(
    tasks: Sequence[Task], truth: Arrays, probabilities: Arrays, rule: str
) -> dict[str, float]:
    """Choose each task's threshold: 0.5, or for rule "validation" a sigmoid task's best by F1.

    `truth` and `probabilities` are those of the validation rows.
    """
    thresholds = dict.fromkeys((task.name for task in tasks), 0.5)
    if rule == "validation":
        for task in tasks:
            if task.head == "sigmoid":
                scores = probabilities[task.name][:, 1]
                thresholds[task.name] = best_threshold(truth[task.name], scores)
    return thresholds


def select(arrays: Arrays, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Take the same rows of every task's array."""
    return {name: values[rows] for name, values in arrays.items()}
