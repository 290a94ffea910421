"""Faithfulness: is what an explanation names important what the probability rests on?

Parts are deleted in the order of their importance, and the probability is compared with that after
as many deletions at random (Samek et al. 2017, "Evaluating the visualization of what a deep neural
network has learned").
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np

from pipeline.explanation.occlusion import Sample


class Areas(NamedTuple):
    """Area over the curve of an order, and its mean over other orders."""

    ordered: float
    random: float


def area_over_curve(curve: np.ndarray) -> np.ndarray:
    """Mean fall of a probability [..., n + 1] that starts with nothing deleted: AOPC, eq. 12.

    1 / (n + 1) sum over k of p_0 - p_k: the faster it falls, the larger.
    """
    return (curve[..., :1] - curve).mean(axis=-1)


def step_areas(
    sample: Sample, modality: str, importance: dict[str, np.ndarray], draws: int, seed: int = 0
) -> dict[str, Areas]:
    """Delete a modality's steps by their importance [length] for each task, and `draws` times at
    random; returns the areas over both curves of the task's explained class.
    """
    length = len(sample.features[modality])
    rng = np.random.default_rng(seed)
    at_random = [rng.permutation(length) for _ in range(draws)]
    by_importance = {
        task: np.argsort(-scores, kind="stable") for task, scores in importance.items()
    }
    curves = _curves(sample, modality, [*by_importance.values(), *at_random])
    areas = {task: area_over_curve(curves[task]) for task in importance}
    return {
        task: Areas(float(areas[task][place]), float(areas[task][len(importance) :].mean()))
        for place, task in enumerate(importance)
    }


def _curves(sample: Sample, modality: str, orders: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the probabilities [orders, length + 1] of each task's class, one step less a time."""
    x = sample.features[modality]
    variants = [np.delete(x, order[:k], axis=0) for order in orders for k in range(len(x) + 1)]
    p = sample.with_variants(modality, variants)
    return {task: values.reshape(len(orders), len(x) + 1) for task, values in p.items()}


def modality_areas(values: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Delete whole modalities by their shares [rows, M], and in every order: areas [rows] each.

    `values` [rows, 2^M] are one class's of `coalition_probabilities`: no pass is needed, and the
    mean over all M! orders is exact.
    """
    players = shares.shape[1]
    orders = np.array(list(permutations(range(players))))
    # Sets that remain after each deletion, [orders, M + 1].
    removed = np.concatenate([np.zeros((len(orders), 1), int), (1 << orders).cumsum(axis=1)], 1)
    areas = area_over_curve(values[:, 2**players - 1 - removed])  # (rows, orders)
    ranked = np.argsort(-shares, axis=1, kind="stable")
    own = (ranked[:, None] == orders).all(axis=2)
    return areas[own], areas.mean(axis=1)
