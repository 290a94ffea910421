"""Calibration: how far a probability can be trusted, and the temperature that corrects it.

A task's temperature T divides its logits: p becomes proportional to p^(1/T) (Guo et al. 2017). It
is fitted on the validation rows. Decisions, F1 and MAP use the network's own probabilities; the
calibrated one is shown beside a decision as its confidence.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from pipeline.evaluation.scores import Scores

BINS = 15
# A temperature fitted on fewer labelled rows would be chance.
FEWEST = 20
COLDEST, HOTTEST = 0.05, 20.0
SMALLEST = 1e-7  # of a probability, below the resolution of float32


def fit_temperature(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the T of the lowest mean negative log likelihood of the labels [n].

    Labels of -1 are unknown. 1 where fewer than `FEWEST` are known; the lowest allowed where all
    probabilities [n, classes] are right.
    """
    known = truth >= 0
    truth, probabilities = truth[known], probabilities[known]
    if len(truth) < FEWEST:
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = calibrated(probabilities, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(scaled[np.arange(len(truth)), truth], SMALLEST)).mean())

    bounds = (float(np.log(COLDEST)), float(np.log(HOTTEST)))
    found = minimize_scalar(loss, bounds=bounds, method="bounded")
    return round(float(np.exp(found.x)), 4)


def calibrated(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Scale probabilities [n, classes] by a temperature; 1 changes nothing."""
    if temperature == 1.0:
        return probabilities
    logits = np.log(np.maximum(probabilities, SMALLEST)) / temperature
    return np.asarray(softmax(logits, axis=1))


def confidences(probabilities: np.ndarray, predicted: np.ndarray, temperature: float) -> np.ndarray:
    """Return the calibrated probability [n] of each row's decided class."""
    return np.asarray(calibrated(probabilities, temperature)[np.arange(len(predicted)), predicted])


def calibration_scores(truth: np.ndarray, probabilities: np.ndarray, temperature: float) -> Scores:
    """Score calibration on the labelled rows; empty where there is none.

    - `brier`: mean squared error of all class probabilities, summed over the classes (Brier 1950).
    - `ece`: expected calibration error of the most probable class, in 15 bins of equal width.
    - `brier_calibrated`, `ece_calibrated`: the same at the temperature; `temperature` itself.
    """
    known = truth >= 0
    truth, probabilities = truth[known], probabilities[known]
    if not len(truth):
        return {}
    scaled = calibrated(probabilities, temperature)
    return {
        "brier": brier(truth, probabilities),
        "brier_calibrated": brier(truth, scaled),
        "ece": expected_calibration_error(truth, probabilities),
        "ece_calibrated": expected_calibration_error(truth, scaled),
        "temperature": temperature,
    }


def brier(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean over rows of sum over classes of (p - [class is true])^2."""
    hot = np.eye(probabilities.shape[1])[truth]
    return float(((probabilities - hot) ** 2).sum(axis=1).mean())


def expected_calibration_error(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean over rows of |accuracy - mean confidence| of a row's bin."""
    gaps = [share * abs(right - mean) for share, right, mean in reliability(truth, probabilities)]
    return float(sum(gaps))


def reliability(
    truth: np.ndarray, probabilities: np.ndarray, bins: int = BINS
) -> list[tuple[float, float, float]]:
    """Return each non-empty bin's share of the rows, accuracy and mean confidence."""
    confidence, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = [np.flatnonzero(number == k) for k in range(bins)]
    return [
        (len(r) / len(truth), float((predicted == truth)[r].mean()), float(confidence[r].mean()))
        for r in rows
        if len(r)
    ]
