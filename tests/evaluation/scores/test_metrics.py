"""Every score against scikit-learn on whatever labels there are, and the laws between them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, hamming_loss

from pipeline.evaluation.scores import (
    SCORES,
    average_precision,
    decide,
    mean_of_defined,
    task_scores,
    weighted_scores,
)
from pipeline.mtl import Task

SIGMOID = Task("victim", ("absent", "present"), negative="absent", head="sigmoid")
BINARY = Task("useful", ("yes", "no"), negative="no")  # the positive class comes first
MULTI = Task("kind", ("none", "flood", "fire", "quake"), negative="none")
Case = tuple[Task, np.ndarray, np.ndarray]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A task, labels from -1 of any number of rows and classes, coarse (so: tied) probabilities."""
    task = draw(st.sampled_from([SIGMOID, BINARY, MULTI]))
    size = draw(st.integers(1, 25))
    allowed = draw(st.sets(st.integers(-1, len(task.classes) - 1), min_size=1))
    truth = draw(st.lists(st.sampled_from(sorted(allowed)), min_size=size, max_size=size))
    shares = st.lists(st.integers(1, 4), min_size=len(task.classes), max_size=len(task.classes))
    raw = np.array(draw(st.lists(shares, min_size=size, max_size=size)), float)
    return task, np.array(truth), raw / raw.sum(axis=1, keepdims=True)


@given(cases())
def test_every_score_is_scikit_learns_on_the_labelled_rows(case: Case) -> None:
    task, truth, probabilities = case
    predicted = decide(task, probabilities)
    scores = task_scores(task, truth, probabilities, predicted)
    known = truth >= 0
    y, p = truth[known], predicted[known]
    if not len(y):
        assert scores == {"support": 0}
        return
    classes = [1] if task.head == "sigmoid" else range(len(task.classes))
    precisions = [
        average_precision_score(y == c, probabilities[known, c]) for c in classes if (y == c).any()
    ]
    expected = {
        "support": len(y),
        "accuracy": accuracy_score(y, p),
        "hl": hamming_loss(y, p),
        "f1_micro": f1_score(y, p, average="micro"),
        "f1_macro": f1_score(y, p, average="macro", labels=np.unique(y), zero_division=0),
        "f1_weighted": f1_score(y, p, average="weighted", zero_division=0),
        "map": np.mean(precisions or [0.0]),
    }
    occurs = {name: (y == name).any() for name in range(len(task.classes))}
    positive = {"victim": 1, "useful": 0}.get(task.name)
    if positive is None:
        expected["f1"] = expected["f1_macro"]
    else:
        rarer = int((y == 1).sum() < (y == 0).sum())
        expected["f1"] = f1_score(y == positive, p == positive, zero_division=0)
        if occurs[rarer]:
            expected["f1_minority"] = f1_score(y == rarer, p == rarer, zero_division=0)
        if not occurs[positive]:
            del expected["f1"], expected["map"]
    if task.head == "softmax":
        table = np.eye(len(task.classes), dtype=int)
        expected["hl_onehot"] = hamming_loss(table[y], table[p])
    assert scores == pytest.approx(expected, abs=1e-12)
    assert all(math.isfinite(value) for value in scores.values())


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_the_weighted_f1_adds_its_classes_in_their_order_on_every_processor(
    rows: list[tuple[int, int]],
) -> None:
    truth, predicted = np.array(rows).T
    scores = task_scores(MULTI, truth, np.eye(4)[predicted], predicted)
    total = 0.0
    for code in range(4):
        positive, selected = (truth == code).sum(), (predicted == code).sum()
        hits = ((truth == code) & (predicted == code)).sum()
        total += positive * (2 * hits / max(positive + selected, 1))
    assert scores["f1_weighted"] == total / len(truth)


@given(cases())
def test_the_hamming_losses_of_a_single_label_task_follow_from_its_error(case: Case) -> None:
    task, truth, probabilities = case
    scores = task_scores(task, truth, probabilities, decide(task, probabilities))
    if scores["support"]:
        assert scores["hl"] == pytest.approx(1 - scores["accuracy"])
        assert scores["f1_micro"] == pytest.approx(scores["accuracy"])
        if task.head == "softmax":
            assert scores["hl_onehot"] == pytest.approx(2 * scores["hl"] / len(task.classes))


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_the_average_precision_of_a_constant_score_is_the_prevalence(
    positives: list[bool], score: float
) -> None:
    truth = np.array(positives, int)
    probabilities = np.full((len(truth), 2), [1 - score, score])
    expected = [truth.mean()] if truth.any() else [np.nan]
    once = np.ones((1, len(truth)))
    precision = average_precision(truth == 1, probabilities[:, 1], once)
    assert precision == pytest.approx(expected, nan_ok=True)


def test_average_precision_is_of_scores_not_of_decisions() -> None:
    truth = np.array([1, 1, 0, 0])
    scores = np.array([0.4, 0.3, 0.2, 0.1])  # all below 0.5, yet in the right order
    probabilities = np.stack([1 - scores, scores], 1)
    assert task_scores(SIGMOID, truth, probabilities, decide(SIGMOID, probabilities))["map"] == 1.0


@given(rows=st.integers(1, 30), seed=st.integers(0, 10_000))
def test_weighted_average_precision_is_scikit_learns(rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    hot, scores = random.random(rows) < 0.4, random.integers(0, 6, rows) / 5
    weights = random.random((2, rows))
    for value, weight in zip(average_precision(hot, scores, weights), weights, strict=True):
        if hot.any():
            expected = average_precision_score(hot, scores, sample_weight=weight)
            assert value == pytest.approx(expected, abs=1e-12)
        else:
            assert np.isnan(value)


@given(cases(), st.integers(0, 1000))
def test_whole_weights_are_repeated_rows(case: Case, seed: int) -> None:
    task, truth, probabilities = case
    predicted, rows = decide(task, probabilities), len(truth)
    counts = np.random.default_rng(seed).multinomial(rows, np.full(rows, 1 / rows), size=3)
    scores = weighted_scores(task, truth, probabilities, predicted, counts)
    for index, count in enumerate(counts):
        again = np.repeat(np.arange(rows), count)
        drawn = truth[again]
        expected = task_scores(task, drawn, probabilities[again], predicted[again])
        for score in SCORES:
            value = expected.get(score, np.nan)
            assert scores[score][index] == pytest.approx(value, abs=1e-12, nan_ok=True)


def test_the_mean_of_the_defined_leaves_the_undefined_out() -> None:
    values = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]])
    np.testing.assert_array_equal(mean_of_defined(values), [2.0, 5.0, np.nan])


# The prevalence of "informative" in the agreed labels, the texts' and the images'.
@pytest.mark.parametrize("prevalence", [0.671, 0.721, 0.515])
def test_the_papers_best_row_for_the_binary_task_cannot_happen(prevalence: float) -> None:
    """F1 .862 with a Hamming loss of .041 (table I): out of reach for every division of errors."""
    rows = 1000
    positive, wrong = round(prevalence * rows), round(0.041 * rows)
    truth = np.repeat([0, 1], [positive, rows - positive])
    reached: dict[str, list[float]] = {}
    for missed in range(wrong + 1):
        predicted = truth.copy()
        predicted[:missed] = 1
        predicted[positive : positive + wrong - missed] = 0
        scores = task_scores(BINARY, truth, np.eye(2)[predicted], predicted)
        assert scores["hl"] == pytest.approx(0.041)
        for name, value in scores.items():
            if name.startswith("f1"):
                reached.setdefault(name, []).append(value)
    assert set(reached) == {"f1", "f1_micro", "f1_macro", "f1_weighted", "f1_minority"}
    assert min(min(values) for values in reached.values()) > 0.9
