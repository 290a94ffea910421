"""Calibration: how far a probability can be believed, and a temperature a task that mends it.

A temperature T divides the logits: p becomes proportional to p^(1/T) (Guo et al. 2017). It is
fitted on the validation rows. Decisions, F1 and MAP are those of the network's own probabilities;
the calibrated one is shown beside a decision as its confidence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from pipeline.evaluation.scores import Arrays, Scores, select
from pipeline.mtl import Task
from pipeline.training.examples import Examples

BINS = 15
# With fewer labelled validation rows a temperature is luck, and stays 1.
FEWEST = 20
COLDEST, HOTTEST = 0.05, 20.0
SMALLEST = 1e-7  # of a probability, below the resolution of float32


def fit_temperatures(
    tasks: Sequence[Task], examples: Examples, probabilities: Arrays
) -> dict[str, float]:
    """Fit each task's temperature on its labelled validation rows; 1 where they are too few."""
    val = examples.rows("val")
    truth, scores = select(examples.targets, val), select(probabilities, val)
    return {task.name: fit_temperature(truth[task.name], scores[task.name]) for task in tasks}


def fit_temperature(truth: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the T of the lowest mean negative log likelihood of the labels [n].

    Labels of -1 are unknown. Where the probabilities [n, classes] are right without exception, it
    is the lowest allowed.
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
    """Scale probabilities [n, classes] by a temperature; those of 1 return as they are."""
    if temperature == 1.0:
        return probabilities
    logits = np.log(np.maximum(probabilities, SMALLEST)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def confidences(probabilities: np.ndarray, predicted: np.ndarray, temperature: float) -> np.ndarray:
    """Return the calibrated probability [n] of each row's decided class."""
    return np.asarray(calibrated(probabilities, temperature)[np.arange(len(predicted)), predicted])


def calibration_scores(truth: np.ndarray, probabilities: np.ndarray, temperature: float) -> Scores:
    """Score calibration on the labelled rows: nothing where there is none.

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
    """Return of each bin that is not empty its share of the rows, accuracy and mean confidence."""
    confidence, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = [np.flatnonzero(number == k) for k in range(bins)]
    return [
        (len(r) / len(truth), float((predicted == truth)[r].mean()), float(confidence[r].mean()))
        for r in rows
        if len(r)
    ]
