"""Decisions, and the thresholds that validation chooses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from pipeline.evaluation.scores import best_threshold, choose_thresholds, decide
from pipeline.mtl import Task

SIGMOID = Task("victim", ("absent", "present"), negative="absent", head="sigmoid")
BINARY = Task("useful", ("yes", "no"), negative="no")


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, [0, 1, 1]), (0.7, [0, 0, 1])])
def test_a_sigmoid_task_is_positive_from_the_threshold_on(
    threshold: float, expected: list[int]
) -> None:
    scores = np.array([0.4, 0.5, 0.7])
    assert decide(SIGMOID, np.stack([1 - scores, scores], 1), threshold).tolist() == expected


def test_a_softmax_task_has_no_threshold() -> None:
    assert decide(BINARY, np.array([[0.6, 0.4], [0.2, 0.8]]), 0.99).tolist() == [0, 1]


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    size = draw(st.integers(1, 12))
    truth = draw(st.lists(st.integers(-1, 1), min_size=size, max_size=size))
    scores = draw(st.lists(st.integers(0, 20), min_size=size, max_size=size))
    return np.array(truth), np.array(scores) / 20


@given(scored())
def test_the_best_threshold_has_the_best_f1_of_all_and_is_half_where_half_is_as_good(
    case: tuple[np.ndarray, np.ndarray],
) -> None:
    truth, scores = case
    threshold = best_threshold(truth, scores)
    y, s = truth[truth >= 0] == 1, scores[truth >= 0]
    if not y.any():
        assert threshold == 0.5
        return
    levels = np.linspace(-0.025, 1.025, 22)  # every decision that scores in twentieths allow
    best = max(f1_score(y, s >= level, zero_division=0) for level in levels)
    assert f1_score(y, s >= threshold) == pytest.approx(best)
    if f1_score(y, s >= 0.5, zero_division=0) == pytest.approx(best):
        assert threshold == 0.5


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([0.9, 0.8, 0.2, 0.1], 0.5), ([0.9, 0.8, 0.7, 0.6], 0.75), ([0.4, 0.3, 0.2, 0.1], 0.25)],
)
def test_among_equal_thresholds_the_one_nearest_to_half_wins(
    scores: list[float], expected: float
) -> None:
    assert best_threshold(np.array([1, 1, 0, 0]), np.array(scores)) == pytest.approx(expected)


def test_only_sigmoid_tasks_get_a_threshold_of_their_own() -> None:
    scores = np.array([0.4, 0.3, 0.2, 0.1])
    truth = {task.name: np.array([1, 1, 0, 0]) for task in (SIGMOID, BINARY)}
    probabilities = dict.fromkeys(truth, np.stack([1 - scores, scores], 1))
    chosen = choose_thresholds([SIGMOID, BINARY], truth, probabilities, "validation")
    assert chosen == {"victim": 0.25, "useful": 0.5}
    half = choose_thresholds([SIGMOID, BINARY], truth, probabilities, "half")
    assert half == {"victim": 0.5, "useful": 0.5}
