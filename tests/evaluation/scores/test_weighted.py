"""Weighted scores: the metrics on repeated rows, without repeating them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from pipeline.evaluation.scores import (
    SCORES,
    average_precision,
    decide,
    mean_of_defined,
    task_scores,
    weighted_scores,
)
from pipeline.mtl import Task

SIGMOID = Task("flood", ("absent", "present"), negative="absent", head="sigmoid")
BINARY = Task("informative", ("no", "yes"), negative="no")
REVERSED = Task("informative", ("yes", "no"), negative="no")
FIVE = Task("humanitarian", ("a", "b", "c", "d", "e"), negative="a")
TASKS = [SIGMOID, BINARY, REVERSED, FIVE]


def made(task: Task, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (some unknown), probabilities on a coarse grid (so with ties), and decisions."""
    random = np.random.default_rng(seed)
    truth = random.integers(-1, len(task.classes), rows)
    raw = random.integers(1, 4, (rows, len(task.classes))).astype(float)
    shown = raw / raw.sum(axis=1, keepdims=True)
    return truth, shown, decide(task, shown)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.head}{len(task.classes)}")
@settings(max_examples=60, deadline=None)
@given(rows=st.integers(2, 25), seed=st.integers(0, 10_000))
def test_whole_weights_are_repeated_rows(task: Task, rows: int, seed: int) -> None:
    truth, shown, predicted = made(task, rows, seed)
    counts = np.random.default_rng(seed + 1).multinomial(rows, np.full(rows, 1 / rows), size=3)
    found = weighted_scores(task, truth, shown, predicted, counts)
    for index, count in enumerate(counts):
        again = np.repeat(np.arange(rows), count)
        expected = task_scores(task, truth[again], shown[again], predicted[again])
        kept = truth[again]
        undefined = {
            "f1": not (kept == task.positive).any() if task.binary else not (kept >= 0).any(),
            "map": not (kept == 1).any() if task.head == "sigmoid" else not (kept >= 0).any(),
        }
        for score in SCORES:
            value = found[score][index]
            if undefined.get(score, not expected["support"]):
                assert np.isnan(value)
            else:
                assert value == pytest.approx(expected[score], abs=1e-12)


@given(rows=st.integers(1, 30), seed=st.integers(0, 10_000))
def test_average_precision_is_scikit_learns(rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    hot, scores = random.random(rows) < 0.4, random.integers(0, 6, rows) / 5
    weights = random.random((2, rows))
    found = average_precision(hot, scores, weights)
    for value, weight in zip(found, weights, strict=True):
        if hot.any():
            expected = average_precision_score(hot, scores, sample_weight=weight)
            assert value == pytest.approx(expected, abs=1e-12)
        else:
            assert np.isnan(value)


def test_a_resample_without_a_positive_has_no_f1_and_no_map_but_an_accuracy() -> None:
    truth, predicted = np.array([1, 0, 0]), np.array([1, 0, 1])
    shown = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    found = weighted_scores(SIGMOID, truth, shown, predicted, np.array([[0, 2, 1]]))
    assert np.isnan(found["f1"][0])
    assert np.isnan(found["map"][0])
    assert found["accuracy"][0] == pytest.approx(2 / 3)
    assert found["hl"][0] == pytest.approx(1 / 3)


def test_without_a_labelled_row_nothing_is_defined() -> None:
    truth, predicted = np.array([-1, -1]), np.array([0, 1])
    shown = np.full((2, 5), 0.2)
    found = weighted_scores(FIVE, truth, shown, predicted, np.array([[1, 1]]))
    assert all(np.isnan(values).all() for values in found.values())


def test_the_mean_of_the_defined_leaves_the_undefined_out() -> None:
    values = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]])
    np.testing.assert_array_equal(mean_of_defined(values), [2.0, 5.0, np.nan])
