"""Every score against scikit-learn on whatever labels there are, and the laws between them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    hamming_loss,
)

from pipeline.evaluation.scores import (
    best_threshold,
    decide,
    mean_average_precision,
    task_scores,
)
from pipeline.mtl import Task

SIGMOID = Task("victim", ("absent", "present"), negative="absent", head="sigmoid")
BINARY = Task("useful", ("yes", "no"), negative="no")  # the positive class comes first
MULTI = Task("kind", ("none", "flood", "fire", "quake"), negative="none")


@st.composite
def cases(draw: st.DrawFn) -> tuple[Task, np.ndarray, np.ndarray]:
    """A task, labels from -1 of any number of rows and classes, coarse (so: tied) probabilities."""
    task = draw(st.sampled_from([SIGMOID, BINARY, MULTI]))
    size = draw(st.integers(1, 25))
    allowed = draw(st.sets(st.integers(-1, len(task.classes) - 1), min_size=1))
    truth = draw(st.lists(st.sampled_from(sorted(allowed)), min_size=size, max_size=size))
    parts = st.lists(st.integers(1, 4), min_size=len(task.classes), max_size=len(task.classes))
    weights = np.array(draw(st.lists(parts, min_size=size, max_size=size)), float)
    return task, np.array(truth), weights / weights.sum(axis=1, keepdims=True)


@given(cases())
def test_every_score_is_scikit_learns_on_the_labelled_rows(
    case: tuple[Task, np.ndarray, np.ndarray],
) -> None:
    task, truth, probabilities = case
    predicted = decide(task, probabilities)
    scores = task_scores(task, truth, probabilities, predicted)
    known = truth >= 0
    y, p, shown = truth[known], predicted[known], probabilities[known]
    if not len(y):
        assert scores == {"support": 0}
        return
    expected = {
        "support": len(y),
        "accuracy": accuracy_score(y, p),
        "hl": hamming_loss(y, p),
        "f1_micro": f1_score(y, p, average="micro"),
        "f1_macro": f1_score(y, p, average="macro", zero_division=0),
        "f1_weighted": f1_score(y, p, average="weighted", zero_division=0),
        "map": np.mean(_average_precisions(task, y, shown) or [0.0]),
    }
    positive = {"victim": 1, "useful": 0}.get(task.name)
    if positive is None:
        expected["f1"] = expected["f1_macro"]
    else:
        expected["f1"] = _f1(y == positive, p == positive)
        rarer = int((y == 1).sum() < (y == 0).sum())
        expected["f1_minority"] = _f1(y == rarer, p == rarer)
    if task.head == "softmax":
        table = np.eye(len(task.classes), dtype=int)
        expected["hl_onehot"] = hamming_loss(table[y], table[p])
    assert scores == pytest.approx(expected)
    assert all(math.isfinite(value) for value in scores.values())


def _f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float(f1_score(truth, predicted, zero_division=0))


def _plain_f1(truth: np.ndarray, called: np.ndarray) -> float:
    return 2 * (truth & called).sum() / (truth.sum() + called.sum())


def _average_precisions(task: Task, truth: np.ndarray, shown: np.ndarray) -> list[float]:
    classes = [1] if task.head == "sigmoid" else range(len(task.classes))
    return [average_precision_score(truth == c, shown[:, c]) for c in classes if (truth == c).any()]


@given(cases())
def test_the_hamming_losses_of_a_single_label_task_follow_from_its_error(
    case: tuple[Task, np.ndarray, np.ndarray],
) -> None:
    task, truth, probabilities = case
    scores = task_scores(task, truth, probabilities, decide(task, probabilities))
    if scores["support"]:
        assert scores["hl"] == pytest.approx(1 - scores["accuracy"])
        assert scores["f1_micro"] == pytest.approx(scores["accuracy"])
        if task.head == "softmax":
            assert scores["hl_onehot"] == pytest.approx(2 * scores["hl"] / len(task.classes))


@given(cases())
def test_unknown_labels_change_nothing(case: tuple[Task, np.ndarray, np.ndarray]) -> None:
    task, truth, probabilities = case
    predicted = decide(task, probabilities)
    more = np.concatenate([truth, [-1, -1]])
    wrong = np.eye(len(task.classes))[[0, 1]]
    longer = np.concatenate([probabilities, wrong])
    assert task_scores(task, more, longer, decide(task, longer)) == task_scores(
        task, truth, probabilities, predicted
    )


def test_perfect_and_perfectly_wrong_predictions() -> None:
    truth = np.array([0, 1, 2, 3])
    right, wrong = np.eye(4), np.eye(4)[[1, 2, 3, 0]]
    best = task_scores(MULTI, truth, right, decide(MULTI, right))
    assert (best["f1"], best["hl"], best["map"], best["hl_onehot"]) == (1, 0, 1, 0)
    worst = task_scores(MULTI, truth, wrong, decide(MULTI, wrong))
    assert (worst["f1"], worst["hl"], worst["hl_onehot"]) == (0, 1, 0.5)


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_the_average_precision_of_a_constant_score_is_the_prevalence(
    positives: list[bool], score: float
) -> None:
    truth = np.array(positives, int)
    shown = np.full((len(truth), 2), [1 - score, score])
    expected = [truth.mean()] if truth.any() else [np.nan]
    found = mean_average_precision(SIGMOID, truth, shown)
    assert found == pytest.approx(expected, nan_ok=True)


def test_average_precision_is_of_scores_not_of_decisions() -> None:
    truth = np.array([1, 1, 0, 0])
    scores = np.array([0.4, 0.3, 0.2, 0.1])  # all below 0.5, yet in the right order
    assert mean_average_precision(SIGMOID, truth, np.stack([1 - scores, scores], 1))[0] == 1.0


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, [0, 1, 1]), (0.7, [0, 0, 1])])
def test_a_sigmoid_task_is_positive_from_the_threshold_on(
    threshold: float, expected: list[int]
) -> None:
    scores = np.array([0.4, 0.5, 0.7])
    shown = np.stack([1 - scores, scores], axis=1)
    assert decide(SIGMOID, shown, threshold).tolist() == expected


def test_a_softmax_task_has_no_threshold() -> None:
    shown = np.array([[0.6, 0.4], [0.2, 0.8]])
    assert decide(BINARY, shown, 0.99).tolist() == [0, 1]


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    size = draw(st.integers(1, 12))
    truth = draw(st.lists(st.integers(-1, 1), min_size=size, max_size=size))
    scores = draw(st.lists(st.integers(0, 20), min_size=size, max_size=size))
    return np.array(truth), np.array(scores) / 20


@given(scored())
def test_the_best_threshold_has_the_best_f1_of_all_and_no_other_such_is_nearer_to_half(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    truth, scores = case
    found = best_threshold(truth, scores)
    known = truth >= 0
    y, s = truth[known], scores[known]
    if not (y == 1).any():
        assert found == 0.5
        return
    levels = np.linspace(-0.025, 1.025, 22)  # every decision that scores in twentieths allow
    quality = [_plain_f1(y == 1, s >= level) for level in levels]
    best = max(quality)
    assert _f1(y == 1, s >= found) == pytest.approx(best)
    if _f1(y == 1, s >= 0.5) == pytest.approx(best):
        assert found == 0.5


def test_where_all_rows_are_best_called_positive_the_threshold_does_so() -> None:
    truth, scores = np.array([1, 0, 1]), np.array([0.1, 0.4, 0.2])
    assert (scores >= best_threshold(truth, scores)).all()


def test_among_equal_thresholds_the_one_nearest_to_half_wins() -> None:
    truth = np.array([1, 1, 0, 0])
    assert best_threshold(truth, np.array([0.9, 0.8, 0.2, 0.1])) == 0.5
    assert best_threshold(truth, np.array([0.9, 0.8, 0.7, 0.6])) == pytest.approx(0.75)
    assert best_threshold(truth, np.array([0.4, 0.3, 0.2, 0.1])) == pytest.approx(0.25)


# The prevalence of "informative" in the agreed labels, the texts' and the images'.
@pytest.mark.parametrize("prevalence", [0.671, 0.721, 0.515])
def test_the_papers_best_row_for_the_binary_task_cannot_happen(
    prevalence: float, drawn: Callable[..., tuple[np.ndarray, np.ndarray]]
) -> None:
    """F1 .862 with a Hamming loss of .041 (table I): out of reach for every division of errors."""
    rows = 1000
    positive = round(prevalence * rows)
    wrong = round(0.041 * rows)
    reached: dict[str, list[float]] = {}
    for missed in range(wrong + 1):
        truth = np.repeat([0, 1], [positive, rows - positive])
        predicted = truth.copy()
        predicted[:missed] = 1
        predicted[positive : positive + wrong - missed] = 0
        shown = np.eye(2)[predicted]
        scores = task_scores(BINARY, truth, shown, predicted)
        assert scores["hl"] == pytest.approx(0.041)
        for name, value in scores.items():
            if name.startswith("f1"):
                reached.setdefault(name, []).append(value)
    assert set(reached) == {"f1", "f1_micro", "f1_macro", "f1_weighted", "f1_minority"}
    assert min(min(values) for values in reached.values()) > 0.9
