"""Levels of a fusion graph: a level's vertices, the two partners of each, and their scores."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pipeline.models.masking import masked_mean

MOMENTUM = 0.1  # of the running means, as BatchNorm's

Pairs = list[tuple[int, int]]
Support = tuple[int, ...]  # positions of the modalities that a vertex contains, ascending


class Level(nn.Module):
    """The vertices of one level; those of equal support are neighbours.

    Partners are positions in a pool ``[vertices of the level below..., modalities...]``, where the
    level below has one merged vertex for each support; at level 2 the pool is the modalities. The
    index tensors follow the module's device and are not part of its saved state.

    Args:
        order: number of modalities in a vertex.
        pairs: left and right partner of each vertex, positions in the pool.
        supports: each has ``len(pairs) // len(supports)`` vertices.
        names: of what the pool holds; a merged vertex is a tuple of modalities.
        modalities: M.
    """

    left: Tensor  # (P,)
    right: Tensor  # (P,)
    members: Tensor  # (P, M), which modalities a vertex contains

    def __init__(
        self, order: int, pairs: Pairs, supports: list[Support], names: list[Any], modalities: int
    ) -> None:
        super().__init__()
        self.name = {2: "bimodal", 3: "trimodal"}.get(order, f"{order}-modal")
        self.vertices = [(names[left], names[right]) for left, right in pairs]
        self.per_support = len(pairs) // len(supports)
        left, right = torch.tensor(pairs).unbind(dim=1)
        self.register_buffer("left", left.contiguous(), persistent=False)
        self.register_buffer("right", right.contiguous(), persistent=False)
        members = torch.tensor([[m in support for m in range(modalities)] for support in supports])
        self.register_buffer(
            "members", members.repeat_interleave(self.per_support, dim=0), persistent=False
        )

    def partners(self, pool: Float[Tensor, "b k *d"]) -> tuple[Tensor, Tensor]:
        """Left and right partners (B, P, ...) of all vertices."""
        # index_select: the gradient of advanced indexing costs several times as much.
        return pool.index_select(1, self.left), pool.index_select(1, self.right)

    def complete(self, present: Bool[Tensor, "b m"]) -> Bool[Tensor, "b p"]:
        """Which vertices contain no absent modality."""
        return (present.unsqueeze(1) | ~self.members).all(dim=2)

    def total(self, weights: Float[Tensor, "b p w"]) -> Float[Tensor, "b s w"]:
        """Sum of the weights of each support's vertices."""
        return weights.unflatten(1, (-1, self.per_support)).sum(dim=2)

    def average(
        self, values: Float[Tensor, "b p d"], scores: Float[Tensor, "b p w"]
    ) -> Float[Tensor, "b s d"]:
        """Mean over each support's vertices, weighted by the softmax of their scores.

        Inside a support this is what eq. 5 gives, without the division by a sum of weights that
        may underflow to 0.
        """
        inside = scores.unflatten(1, (-1, self.per_support)).softmax(dim=2)
        return (inside * values.unflatten(1, (-1, self.per_support))).sum(dim=2)


class VertexScores(nn.Module):
    """Scores of a level's vertices: of each row, or for an ablation the same for all rows.

    Args:
        kind: "learned" leaves the scores as they are. "mean" takes their mean over the rows where
            the vertex is complete: those of the batch in training, a running mean in evaluation.
            "uniform" is 1.
        vertices: P.
        width: W, of a score.
    """

    mean: Tensor  # (P, W)

    def __init__(self, kind: str, vertices: int, width: int) -> None:
        super().__init__()
        self.kind = kind
        if kind == "mean":
            self.register_buffer("mean", torch.ones(vertices, width))

    def forward(
        self, scores: Float[Tensor, "b p w"], complete: Bool[Tensor, "b p"]
    ) -> Float[Tensor, "b p w"]:
        """Map the scores (B, P, W) of each row to those that are used, of the same shape."""
        if self.kind == "learned":
            return scores
        if self.kind == "uniform":
            return scores.new_ones(()).expand_as(scores)
        if not self.training:
            return self.mean.expand_as(scores)
        mean = masked_mean(scores.transpose(0, 1), complete.T)
        mean = torch.where(complete.any(dim=0).unsqueeze(1), mean, self.mean)
        self.mean.lerp_(mean.detach(), MOMENTUM)
        return mean.expand_as(scores)


def build_levels(
    modalities: tuple[str, ...], max_order: int, ordered_pairs: bool = False
) -> list[Level]:
    """Build the levels 2 to min(max_order, M), for M modalities.

    Level l joins every two level-(l-1) supports whose union has l modalities, and every such
    support with a modality outside it: C(M, l) * (C(l, 2) + l) vertices, the paper's 6 at
    M = l = 3. At level 2 both kinds are the pairs of modalities, in one order or in both.
    """
    levels = []
    count = len(modalities)
    for order in range(2, min(max_order, count) + 1):
        supports = list(combinations(range(count), order))
        below = [] if order == 2 else list(combinations(range(count), order - 1))
        if order > 2:
            pairs = [pair for support in supports for pair in _partners(support, below)]
        elif ordered_pairs:
            pairs = [(a, b) for support in supports for a, b in permutations(support)]
        else:
            pairs = [(a, b) for a, b in supports]
        merged = [tuple(modalities[m] for m in support) for support in below]
        levels.append(Level(order, pairs, supports, [*merged, *modalities], count))
    return levels


def _partners(support: Support, below: list[Support]) -> Pairs:
    """Partners of a support's vertices, as positions in the pool of the supports ``below`` it."""
    # Neighbours first: (ab, bc), (ab, ac), (bc, ac), as the GFN authors' code counts them.
    order = len(support)
    local = sorted(combinations(range(order), order - 1), key=lambda part: part[-1] - part[0])
    parts = [below.index(tuple(support[i] for i in part)) for part in local]
    missing = [next(m for m in support if m not in below[part]) for part in parts]
    complements = [(part, len(below) + m) for part, m in zip(parts, missing, strict=True)]
    return [*combinations(parts, 2), *complements]
