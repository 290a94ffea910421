"""Scores of all tasks together: of a test set, a validation epoch, or many yes-or-no labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.evaluation.scores.metrics import Scores, average_precision, f1, task_scores
from pipeline.evaluation.scores.thresholds import HALF, Arrays, best_threshold, decide
from pipeline.mtl import Task

LABEL_SCORES = ("map", "macro_f1", "micro_f1", "hamming_loss")


def score_tasks(
    tasks: Sequence[Task], truth: Arrays, probabilities: Arrays, thresholds: Mapping[str, float]
) -> dict[str, Scores]:
    """Score every task (see `task_scores`), and under "mean" the tasks that have support.

    Raises ValueError where no task has support.
    """
    scores = {}
    for task in tasks:
        predicted = decide(task, probabilities[task.name], thresholds[task.name])
        scores[task.name] = task_scores(task, truth[task.name], probabilities[task.name], predicted)
    scored = [values for values in scores.values() if values["support"]]
    if not scored:
        raise ValueError("no row to score has a label in any task")
    names = ("f1", "hl", "map")
    return {**scores, "mean": {n: float(np.mean([task[n] for task in scored])) for n in names}}


def validation_scores(
    tasks: Sequence[Task], truth: Arrays, probabilities: Arrays
) -> dict[str, float]:
    """Score a validation epoch: mean F1 at threshold 0.5, mean Hamming loss, MAP by task."""
    scores = score_tasks(tasks, truth, probabilities, {task.name: HALF for task in tasks})
    maps = {f"map/{task.name}": scores[task.name].get("map", 0.0) for task in tasks}
    return {**{f"mean_{name}": value for name, value in scores["mean"].items()}, **maps}


def label_scores(
    truth: np.ndarray, probabilities: np.ndarray, split: np.ndarray
) -> dict[str, float]:
    """Score yes-or-no labels together on the test rows of `truth` and `probabilities` [n, L].

    - `map`: mean of the average precision over the labels with a positive.
    - `macro_f1`: mean over these labels of the positive class's F1, and `micro_f1`: F1 of all
      labels' decisions pooled, both at each label's threshold with the best F1 on the val rows.
    - `hamming_loss`: fraction of wrong decisions at 0.5, where its expectation is least.

    Unknown labels (-1) are left out.
    """
    val, test = split == "val", split == "test"
    columns = zip(truth[val].T, probabilities[val].T, strict=True)
    thresholds = [best_threshold(labels, scores) for labels, scores in columns]
    truth, probabilities = truth[test], probabilities[test]
    known, hot = truth >= 0, truth == 1
    decided = known & (probabilities >= thresholds)
    labels = np.flatnonzero(hot.any(axis=0))
    # An unknown label has weight 0.
    once = known.astype(float).T[:, None]
    precisions = [average_precision(hot[:, c], probabilities[:, c], once[c]) for c in labels]
    return {
        "map": float(np.mean(precisions)),
        "macro_f1": float(np.mean([f1(hot[:, c], decided[:, c], once[c]) for c in labels])),
        "micro_f1": float(f1(hot.ravel(), decided.ravel(), known.reshape(1, -1).astype(float))[0]),
        "hamming_loss": float(((probabilities >= HALF) != hot)[known].mean()),
    }


def select(arrays: Arrays, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Take the same rows of every task's array."""
    return {name: values[rows] for name, values in arrays.items()}
