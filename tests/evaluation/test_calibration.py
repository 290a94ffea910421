"""Calibration: a temperature mends over- and underconfidence and moves no decision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss

from pipeline.evaluation.calibration import (
    FEWEST,
    brier,
    calibrated,
    calibration_scores,
    confidences,
    expected_calibration_error,
    fit_temperature,
)

BY_HAND = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.05, 0.95]])
TRUTH = np.array([0, 1, 1, 1])


def drawn(temperature: float, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from probabilities, and the same probabilities at another temperature."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, classes))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (true.cumsum(axis=1) > rng.random((4000, 1))).argmax(axis=1)
    return truth, calibrated(true, 1 / temperature)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_the_temperature_of_a_distortion_is_recovered(temperature: float, classes: int) -> None:
    truth, probabilities = drawn(temperature, classes)
    assert fit_temperature(truth, probabilities) == pytest.approx(temperature, rel=0.1)
    scores = calibration_scores(truth, probabilities, temperature)
    assert scores["ece_calibrated"] < 0.03
    if temperature != 1:
        assert scores["ece_calibrated"] < scores["ece"] / 2
        assert scores["brier_calibrated"] < scores["brier"]


@given(st.floats(0.05, 20), st.integers(0, 1000))
def test_a_temperature_moves_no_decision_and_no_ranking_of_a_binary_task(
    temperature: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([1, 1, 1], 20)
    scaled = calibrated(probabilities, temperature)
    assert (scaled.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    np.testing.assert_allclose(scaled.sum(axis=1), 1)
    positive = rng.random(20).round(3) * 0.998 + 0.001
    binary = calibrated(np.stack([1 - positive, positive], axis=1), temperature)[:, 1]
    truth = np.arange(20) % 2
    # Very cold temperatures round neighbours to the same probability.
    if len(np.unique(binary)) == len(np.unique(positive)):
        expected = average_precision_score(truth, positive)
        assert average_precision_score(truth, binary) == pytest.approx(expected, abs=1e-12)


def test_the_brier_score_is_that_of_scikit_learn_summed_over_both_classes() -> None:
    assert brier(TRUTH, BY_HAND) == pytest.approx(2 * brier_score_loss(TRUTH, BY_HAND[:, 1]))


def test_the_expected_calibration_error_by_hand() -> None:
    # Each of the four confidences .9, .6, .7 and .95 is alone in its bin but for .9 and .95, which
    # lie in different ones of width 1/15: .0667 * 13 = .8667 and .9333.
    expected = (abs(1 - 0.9) + abs(0 - 0.6) + abs(1 - 0.7) + abs(1 - 0.95)) / 4
    assert expected_calibration_error(TRUTH, BY_HAND) == pytest.approx(expected)


def test_certainty_that_is_wrong_stays_finite() -> None:
    truth, certain = np.array([0, 1] * FEWEST), np.array([[1.0, 0.0]] * 2 * FEWEST)
    scores = calibration_scores(truth, certain, fit_temperature(truth, certain))
    assert all(np.isfinite(value) for value in scores.values())
    assert scores["ece"] == pytest.approx(0.5)
    assert scores["ece_calibrated"] < 0.35


def test_few_labels_fit_no_temperature_and_none_give_no_score() -> None:
    truth, probabilities = drawn(3.0)
    known = np.where(np.arange(4000) < FEWEST - 1, truth, -1)
    assert fit_temperature(known, probabilities) == 1.0
    assert calibration_scores(np.full(4000, -1), probabilities, 2.0) == {}


def test_a_confidence_is_that_of_the_decided_class_even_if_another_is_likelier() -> None:
    decided = np.array([0, 1, 0, 1])
    np.testing.assert_allclose(confidences(BY_HAND, decided, 1.0), [0.9, 0.4, 0.3, 0.95])
