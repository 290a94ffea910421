"""Scores over seeds with intervals: by a cluster bootstrap of one test side, or over splits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from pipeline.evaluation.scores import (
    SCORES,
    Arrays,
    has_positive,
    mean_of_defined,
    weighted_scores,
)
from pipeline.mtl import Task

CONFIDENCE = 0.95
ROUNDING = 1e-12
MEAN = "mean"


@dataclass(frozen=True)
class Estimate:
    """A score over seeds: `values` [S], and where all seeds have one test side `resampled` [B].

    The latter is the score on B resamples of that side and of the seeds. NaN: undefined.
    `overlap` is n_test / n_train where each seed has a random split of its own, else 0.
    """

    values: np.ndarray
    resampled: np.ndarray | None = None
    overlap: float = 0.0

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return float(self.values.mean())

    @property
    def sd(self) -> float:
        """Standard deviation over seeds (n - 1); NaN with one seed."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval: the resamples' middle, or mean -+ t(0.975, S - 1) times the error.

        The squared error is (1/S + overlap) sd^2: random splits share rows, so their scores are
        correlated (Nadeau and Bengio 2003). Resamples in which the score is undefined are left out.
        NaN where nothing is known: with one seed, or the same value for all of them, as logistic
        regression has on one split.
        """
        count = len(self.values)
        if self.resampled is None:
            if count < 2 or np.ptp(self.values) < ROUNDING:
                return math.nan, math.nan
            error = math.sqrt(1 / count + self.overlap) * self.sd
            half = student.ppf((1 + CONFIDENCE) / 2, count - 1) * error
            return self.mean - float(half), self.mean + float(half)
        defined = self.resampled[~np.isnan(self.resampled)]
        if not len(defined):
            return math.nan, math.nan
        low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return float(low), float(high)

    def __sub__(self, other: Estimate) -> Estimate:
        """Paired difference: both with the same seeds, and from the same resamples."""
        if self.resampled is None or other.resampled is None:
            return Estimate(self.values - other.values, overlap=self.overlap)
        return Estimate(self.values - other.values, self.resampled - other.resampled)


# By task (or MEAN, over the tasks) and score.
Estimates = Mapping[tuple[str, str], Estimate]


@dataclass(frozen=True)
class Resamples:
    """B resamples: how often each row (`rows` [B, n]) and each seed (`seeds` [B, S]) was drawn."""

    rows: np.ndarray
    seeds: np.ndarray


def draw_resamples(groups: Sequence[str], seeds: int, count: int) -> Resamples:
    """Draw as many groups, and as many seeds, as there are, with replacement, `count` times.

    All rows of a group are drawn together: they are near-duplicates and no further evidence.
    """
    random = np.random.default_rng(0)
    names, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    drawn = _with_replacement(random, len(names), count)
    return Resamples(drawn[:, group], _with_replacement(random, seeds, count))


def _with_replacement(random: np.random.Generator, size: int, count: int) -> np.ndarray:
    return random.multinomial(size, np.full(size, 1 / size), size=count)


def estimate_tasks(
    tasks: Sequence[Task],
    truth: Arrays,
    predictions: Sequence[tuple[Arrays, Arrays]],
    resamples: Resamples,
) -> Estimates:
    """Estimate a row's scores from each seed's test probabilities [n, classes] and decisions [n].

    The mean is over the tasks that have F1 and MAP, within each resample. A resample's score is
    the mean over the seeds drawn in it, so that an interval holds both sources of chance: which
    samples are tested, and which seed trained.
    """
    # The test side as it is, then all resamples: [tasks, seeds, 1 + B] of each score.
    weights = np.insert(resamples.rows, 0, 1, axis=0)
    scores = [
        [
            weighted_scores(t, truth[t.name], probabilities[t.name], decided[t.name], weights)
            for probabilities, decided in predictions
        ]
        for t in tasks
    ]
    shares = resamples.seeds / resamples.seeds.sum(axis=1, keepdims=True)
    scored = np.stack([has_positive(task, truth[task.name], weights) for task in tasks])
    result = {}
    for score in SCORES:
        values = np.array([[of_seed[score] for of_seed in by_seed] for by_seed in scores])
        mean = mean_of_defined(np.where(scored[:, None], values, np.nan))
        by_task = {task.name: v for task, v in zip(tasks, values, strict=True)}
        for name, v in {**by_task, MEAN: mean}.items():
            resampled = np.einsum("sb,bs->b", v[:, 1:], shares)
            result[name, score] = Estimate(v[:, 0], resampled)
    return result
