"""F1, Hamming loss and average precision: the one implementation that every result uses.

Truth [n] holds class numbers, -1 where the label is unknown. `weights` [B, n] holds B weightings of
the n rows, for instance how often a resample drew each row; scores are then arrays [B]. Weights of
1 give the plain scores, which equal scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.mtl import Task

SCORES = ("f1", "hl", "map", "accuracy")
MEANS = SCORES[:3]  # those that are averaged over tasks
HALF = 0.5
Arrays = Mapping[str, np.ndarray]
Scores = dict[str, float | int]


def has_positive(task: Task, truth: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Say for each weighting whether a task has F1 and MAP, and so is in the means over tasks.

    This is the one rule for all results: a binary task needs a positive row, any other task a
    labelled one.
    """
    rows = truth >= 0 if task.positive is None else truth == task.positive
    weights = np.ones((1, len(truth))) if weights is None else weights
    return np.asarray(weights @ rows > 0)


def unscored(tasks: Sequence[Task], truth: Arrays) -> list[str]:
    """Name the tasks that are left out of the means over tasks, see `has_positive`."""
    return [task.name for task in tasks if not has_positive(task, truth[task.name]).all()]


def unscored_notes(tasks: Sequence[Task], truth: Arrays, side: str) -> list[str]:
    """Say in one line which tasks the means over this side's rows leave out, if any."""
    names = ", ".join(unscored(tasks, truth))
    return [f"left out of the means, without a positive {side} row: {names}"] if names else []


def score_tasks(
    tasks: Sequence[Task], truth: Arrays, probabilities: Arrays, thresholds: Mapping[str, float]
) -> dict[str, Scores]:
    """Score every task (see `task_scores`), and under "mean" those that are not `unscored`.

    The latter's number is `tasks`; where it is 0, there are no means. Raises ValueError if no task
    has support.
    """
    scores: dict[str, Scores] = {}
    for task in tasks:
        predicted = decide(task, probabilities[task.name], thresholds[task.name])
        scores[task.name] = task_scores(task, truth[task.name], probabilities[task.name], predicted)
    left_out = unscored(tasks, truth)
    scored = [scores[task.name] for task in tasks if task.name not in left_out]
    if not any(values["support"] for values in scores.values()):
        raise ValueError("no row to score has a label in any task")
    means = MEANS if scored else ()
    mean: Scores = {name: float(np.mean([s[name] for s in scored])) for name in means}
    return {**scores, "mean": mean | {"tasks": len(scored)}}


def task_scores(
    task: Task, truth: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray
) -> Scores:
    """Score one task on rows that count once each; a score that is undefined is left out.

    - `f1`: mean over the classes with a positive; for a binary task, that of its positive class.
    - `hl`: Hamming loss, the fraction of wrong labels; `hl_onehot` counts the cells of the one-hot
      table instead, 2 hl / classes.
    - `map`: mean over the classes with a positive of the average precision of their probabilities;
      for a sigmoid task, the average precision of its one label.
    - `support`: labelled rows; a task without any has no other score.

    A binary task without a positive has neither `f1` nor `map`.
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
        # No matrix product: its last digit depends on the kind of processor.
        "f1_weighted": (counts[:, None] * np.nan_to_num(by_class)).sum(axis=0) / len(truth),
    }
    if task.head == "softmax":
        arrays["hl_onehot"] = 2 * arrays["hl"] / len(task.classes)
    if task.binary:
        arrays["f1_minority"] = by_class[counts.argmin()]
    defined = {name: float(value[0]) for name, value in arrays.items() if not np.isnan(value[0])}
    return defined | {"support": len(truth)}


def validation_scores(
    tasks: Sequence[Task], truth: Arrays, probabilities: Arrays
) -> dict[str, float]:
    """Score validation rows: mean F1 and Hamming loss at threshold 0.5, mean MAP, MAP by task."""
    scores = score_tasks(tasks, truth, probabilities, {task.name: HALF for task in tasks})
    maps = {f"map/{t.name}": scores[t.name]["map"] for t in tasks if "map" in scores[t.name]}
    means = {f"mean_{name}": value for name, value in scores["mean"].items() if name in MEANS}
    return {**means, **maps}


def weighted_scores(
    task: Task,
    truth: np.ndarray,
    probabilities: np.ndarray,
    predicted: np.ndarray,
    weights: np.ndarray,
) -> dict[str, np.ndarray]:
    """Score one task by f1, hl, map and accuracy under each weighting; NaN where undefined.

    All are where there is no labelled row; F1 and MAP also where `has_positive` is false.
    """
    known = truth >= 0
    truth, probabilities, predicted = truth[known], probabilities[known], predicted[known]
    weights = weights[:, known].astype(np.float64)
    error = _ratio(weights @ (truth != predicted), weights.sum(axis=1))
    by_class = _f1_by_class(task, truth, predicted, weights)
    classes = [1] if task.head == "sigmoid" else range(len(task.classes))
    precisions = [average_precision(truth == c, probabilities[:, c], weights) for c in classes]
    scored = has_positive(task, truth, weights)
    return {
        "f1": mean_of_defined(by_class) if task.positive is None else by_class[task.positive],
        "hl": error,
        "map": np.where(scored, mean_of_defined(np.stack(precisions)), np.nan),
        "accuracy": 1 - error,
    }


def _f1_by_class(
    task: Task, truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return 2 TP / (2 TP + FP + FN) [classes, B]; NaN for a class without a positive."""
    values = []
    for code in range(len(task.classes)):
        positive, selected = weights @ (truth == code), weights @ (predicted == code)
        hits = weights @ ((truth == code) & (predicted == code))
        values.append(np.where(positive > 0, _ratio(2 * hits, positive + selected), np.nan))
    return np.stack(values)


def average_precision(hot: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum the precision at each threshold times the recall gained there; NaN without a positive.

    `hot` [n] marks the positives; rows with equal `scores` [n] share one threshold.
    """
    if not hot.any():
        return np.full(len(weights), np.nan)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    selected = np.cumsum(weights[:, order], axis=1, dtype=float)[:, last]
    hits = np.cumsum(weights[:, order] * hot[order], axis=1, dtype=float)[:, last]
    precision = np.divide(hits, selected, out=np.zeros_like(hits), where=selected > 0)
    gained = np.diff(hits, axis=1, prepend=0)
    return _ratio((precision * gained).sum(axis=1), hits[:, -1])


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Average what is not NaN over the first axis; NaN where everything is."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    result = np.full(np.shape(above), np.nan)
    return np.divide(above, below, out=result, where=below > 0)


def decide(task: Task, probabilities: np.ndarray, threshold: float = HALF) -> np.ndarray:
    """Turn probabilities [n, classes] into classes [n]; only a sigmoid task has a threshold."""
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


def select(arrays: Arrays, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Take the same rows of every task's array."""
    return {name: values[rows] for name, values in arrays.items()}
