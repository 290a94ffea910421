"""Cluster bootstrap: how far scores would move with another test side and other seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95


@dataclass(frozen=True)
class Resamples:
    """B resamples: how often each row (`rows` [B, n]) and each seed (`seeds` [B, S]) was drawn."""

    rows: np.ndarray
    seeds: np.ndarray


@dataclass(frozen=True)
class Estimate:
    """A score over seeds: `values` [S] on the rows as they are, `resampled` [B]; NaN undefined."""

    values: np.ndarray
    resampled: np.ndarray

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return float(self.values.mean())

    @property
    def sd(self) -> float:
        """Standard deviation over seeds (n - 1)."""
        return float(self.values.std(ddof=1))

    @property
    def interval(self) -> tuple[float, float]:
        """The middle 95 % of the resamples in which the score is defined."""
        known = self.resampled[~np.isnan(self.resampled)]
        if not len(known):
            return float("nan"), float("nan")
        low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)

    def __sub__(self, other: Estimate) -> Estimate:
        """Paired difference: both from the same resamples and the same seeds."""
        return Estimate(self.values - other.values, self.resampled - other.resampled)


def draw(groups: Sequence[str], seeds: int, count: int, generator: int = 0) -> Resamples:
    """Draw as many groups, and as many seeds, as there are, with replacement, `count` times.

    All rows of a group are drawn together: they are near-duplicates and no further evidence.
    """
    random = np.random.default_rng(generator)
    names, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    drawn = _with_replacement(random, len(names), count)
    return Resamples(drawn[:, group], _with_replacement(random, seeds, count))


def _with_replacement(random: np.random.Generator, size: int, count: int) -> np.ndarray:
    return random.multinomial(size, np.full(size, 1 / size), size=count)


def estimate(values: np.ndarray, by_seed: np.ndarray, resamples: Resamples) -> Estimate:
    """Combine the scores of S seeds, `values` [S] and on every resample `by_seed` [S, B].

    A resample's score is the mean over the seeds drawn in it, so that an interval holds both
    sources of chance: which samples are tested, and which seed trained.
    """
    weights = resamples.seeds / resamples.seeds.sum(axis=1, keepdims=True)
    return Estimate(values, np.einsum("sb,bs->b", by_seed, weights))
