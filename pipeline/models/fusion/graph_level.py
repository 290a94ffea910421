"""One level of the hierarchical fusion graph: vertices, similarities, weights (eqs 3 to 6)."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from pipeline.models.fusion.pair_network import PairNetwork
from pipeline.models.fusion.planned_level import PlannedLevel
from pipeline.models.fusion.vertices import LevelPlan
from pipeline.models.masking import masked_softmax


class LevelOutput(NamedTuple):
    """What a level gives to the joint vector and to the reader, one entry a vertex."""

    combined: Tensor  # F of eq. 6, (B, D)
    vertices: Tensor  # V of eq. 3, (B, P, D)
    weights: Tensor  # w of eq. 5, softmaxed over the vertices, (B, P, W)
    scores: Tensor  # q of eq. 5, (B, P, W)
    similarity: Tensor  # S of eq. 4, (B, P)


class GraphLevel(PlannedLevel):
    """Vertices of one level as one batched operation, weighted and summed.

    Args:
        plan: partners and supports of the level's vertices.
        modalities: M.
        width: D.
        channels: of the convolution of eq. 3.
        theta: offset of the similarity in eq. 5.
    """

    def __init__(
        self, plan: LevelPlan, modalities: int, width: int, channels: int, theta: float
    ) -> None:
        super().__init__(plan, modalities)
        self.theta = theta
        self.network = PairNetwork(plan.pairs, width, channels)

    def forward(
        self,
        pool: Float[Tensor, "b k d"],
        weights: Float[Tensor, "b k w"],
        present: Bool[Tensor, "b m"],
    ) -> LevelOutput:
        """Combine the pool's vectors (B, K', D), weighted by (B, K', W), pair by pair."""
        vertices = self.network(pool)  # eq. 3
        similarity = self.pick(softmax_cosine(pool))  # eq. 4
        left, right = (weights.index_select(1, side) for side in (self.left, self.right))
        scores = (left + right) / (similarity + self.theta).unsqueeze(-1)  # q of eq. 5
        mask = self.complete(present)
        shares = masked_softmax(scores, mask)  # w of eq. 5
        combined = weighted_sum(shares, vertices)  # eq. 6
        return LevelOutput(combined, vertices, shares, scores, similarity.where(mask, 0.0))

    def merge(
        self, out: LevelOutput
    ) -> tuple[Float[Tensor, "b k d"], Float[Tensor, "b k w"], Float[Tensor, "b k w"]]:
        """One vertex a support, for the level above: vectors (B, K, D), shares, scores (B, K, W).

        Shares add up; vectors and scores are averaged by them.
        """
        if self.per_support == 1:
            return out.vertices, out.weights, out.scores
        vertices, shares, scores = (
            x.unflatten(1, (-1, self.per_support)) for x in (out.vertices, out.weights, out.scores)
        )
        # Softmax inside a support, not shares over their sum: that sum may underflow to 0.
        inside = scores.softmax(dim=2)
        return (inside * vertices).sum(2), shares.sum(2), (inside * scores).sum(2)


def weighted_sum(
    weights: Float[Tensor, "b p w"], vertices: Float[Tensor, "b p d"]
) -> Float[Tensor, "b d"]:
    """Sum of the vertices (B, P, D), each times its weight: one (W = 1) or one a feature."""
    if weights.shape[2] == vertices.shape[2]:
        return (weights * vertices).sum(dim=1)
    # As a product nothing of the vertices' size is written, forwards or backwards.
    return (weights.transpose(1, 2) @ vertices).squeeze(1)


def softmax_cosine(vectors: Float[Tensor, "b k d"]) -> Float[Tensor, "b k k"]:
    """Cosine of the feature-axis softmaxes of every two vectors (eq. 4), in (0, 1]."""
    mass = vectors.softmax(dim=-1)
    products = mass @ mass.transpose(1, 2)
    # Lengths from the diagonal, so that nothing of the vectors' size is divided. No epsilon: a
    # softmax over D features is at least D^-0.5 long.
    inverse = products.diagonal(dim1=1, dim2=2).rsqrt()
    return products * inverse.unsqueeze(1) * inverse.unsqueeze(2)
