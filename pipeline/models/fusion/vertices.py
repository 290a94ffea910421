"""Which vertices a level of the fusion graph has, and from which two partners each is made."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

Support = tuple[int, ...]  # positions of the modalities that a vertex contains, ascending


@dataclass(frozen=True)
class LevelPlan:
    """The vertices of one level, those of equal support next to each other.

    Partners are positions in the pool ``[vertices of the level below..., modalities...]``, where
    the level below counts one merged vertex a support; at level 2 the pool is the modalities.

    Attributes:
        name: "bimodal", "trimodal", "4-modal", ...
        pairs: left and right partner of each vertex.
        supports: one a merged vertex; each owns ``len(pairs) // len(supports)`` vertices.
        labels: the two partners' names of each vertex; a merged partner is a tuple of names.
    """

    name: str
    pairs: tuple[tuple[int, int], ...]
    supports: tuple[Support, ...]
    labels: tuple[tuple[Any, Any], ...]


def level_name(order: int) -> str:
    """The paper's name of a level, and "4-modal" and so on above its three."""
    return {1: "unimodal", 2: "bimodal", 3: "trimodal"}.get(order, f"{order}-modal")


def plan_levels(
    modalities: tuple[str, ...], max_order: int, ordered_pairs: bool = False
) -> list[LevelPlan]:
    """Plan the levels 2..max_order.

    Level l takes every pair of level-(l-1) supports whose union has l modalities, and every such
    support with a modality outside it: C(M, l) * (C(l, 2) + l) vertices, the paper's 6 at
    M = l = 3. At level 2 both kinds are the pairs of modalities, in one order or in both.
    """
    plans = []
    for order in range(2, max_order + 1):
        plan = _plan_pairs if order == 2 else _plan_higher
        plans.append(plan(modalities, order, ordered_pairs))
    return plans


def _plan_pairs(modalities: tuple[str, ...], order: int, ordered: bool) -> LevelPlan:
    supports = tuple(combinations(range(len(modalities)), order))
    both = [list(permutations(support)) if ordered else [support] for support in supports]
    pairs = tuple((a, b) for group in both for a, b in group)
    labels = tuple((modalities[a], modalities[b]) for a, b in pairs)
    return LevelPlan(level_name(order), pairs, supports, labels)


def _plan_higher(modalities: tuple[str, ...], order: int, ordered: bool) -> LevelPlan:
    below = list(combinations(range(len(modalities)), order - 1))
    supports = tuple(combinations(range(len(modalities)), order))
    pool: list[Any] = [tuple(modalities[m] for m in part) for part in below] + list(modalities)
    pairs: list[tuple[int, int]] = []
    for support in supports:
        # Neighbours first: (ab, bc), (ab, ac), (bc, ac), the sides of the GFN authors' code.
        local = sorted(combinations(range(order), order - 1), key=lambda part: part[-1] - part[0])
        parts = [below.index(tuple(support[i] for i in part)) for part in local]
        missing = [next(m for m in support if m not in below[part]) for part in parts]
        pairs += combinations(parts, 2)
        pairs += [(part, len(below) + m) for part, m in zip(parts, missing, strict=True)]
    labels = tuple((pool[left], pool[right]) for left, right in pairs)
    return LevelPlan(level_name(order), tuple(pairs), supports, labels)
