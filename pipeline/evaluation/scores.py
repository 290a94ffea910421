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
HALF = 0.5
Arrays = Mapping[str, np.ndarray]
Scores = dict[str, float | int]


def score_tasks(
    tasks: Sequence[Task], truth: Arrays, probabilities: Arrays, thresholds: Mapping[str, float]
) -> dict[str, Scores]:
    """Score every task (see `task_scores`), and under "mean" the tasks that have support.

    Raises ValueError if no task has support.
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


def task_scores(
    task: Task, truth: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray
) -> Scores:
    """Score one task on rows that count once each; an undefined score is 0.

    - `f1`: macro over the classes that occur; for a binary task, that of its positive class.
    - `hl`: Hamming loss, the fraction of wrong labels; `hl_onehot` counts the cells of the one-hot
      table instead, 2 hl / classes.
    - `map`: mean over the classes with a positive of the average precision of their probabilities;
      for a sigmoid task, the average precision of its one label.
    - `support`: labelled rows; a task without any has no other score.
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


def weighted_scores(
    task: Task,
    truth: np.ndarray,
    probabilities: np.ndarray,
    predicted: np.ndarray,
    weights: np.ndarray,
) -> dict[str, np.ndarray]:
    """Score one task by f1, hl, map and accuracy under each weighting.

    NaN where there is no labelled row, and for F1 and MAP of a binary task where none is positive.
    """
    known = truth >= 0
    truth, probabilities, predicted = truth[known], probabilities[known], predicted[known]
    weights = weights[:, known].astype(np.float64)
    error = _ratio(weights @ (truth != predicted), weights.sum(axis=1))
    by_class = _f1_by_class(task, truth, predicted, weights)
    if task.positive is None:
        headline = mean_of_defined(by_class)
    else:
        occurs = weights @ (truth == task.positive) > 0
        headline = np.where(occurs, by_class[task.positive], np.nan)
    return {
        "f1": headline,
        "hl": error,
        "map": mean_average_precision(task, truth, probabilities, weights),
        "accuracy": 1 - error,
    }


def _f1_by_class(
    task: Task, truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return [classes, B]."""
    classes = range(len(task.classes))
    return np.stack([f1(truth == c, predicted == c, weights) for c in classes])


def f1(truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return 2 TP / (2 TP + FP + FN) of the boolean arrays [n]; NaN where that is 0 / 0."""
    hits = weights @ (truth & predicted)
    return _ratio(2 * hits, weights @ truth + weights @ predicted)


def mean_average_precision(
    task: Task,
    truth: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Average the one-vs-rest average precision over the classes with a positive; NaN if none has.

    Of a sigmoid task only the positive class counts.
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


def mean_map(tasks: Sequence[Task], truth: Arrays, probabilities: Arrays) -> float:
    """Average the MAP over the tasks with a positive; NaN if none has one."""
    maps = [mean_average_precision(t, truth[t.name], probabilities[t.name]) for t in tasks]
    return float(mean_of_defined(np.stack(maps))[0])


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
