"""One level of GFN: vertices, similarities, weights, and the weighted vertices."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.fusion.planned_level import PlannedLevel
from pipeline.models.fusion.vertices import LevelPlan
from pipeline.models.masking import masked_softmax


class GFNLevelOutput(NamedTuple):
    """One entry a vertex; what contains an absent modality has share and weighted vertex 0."""

    vertices: Tensor  # V, (B, P, D)
    weighted: Tensor  # ELU(n V), (B, P, D)
    scores: Tensor  # q before the softmax, (B, P)
    shares: Tensor  # n, (B, P)
    similarity: Tensor  # S, (B, P)


class GFNLevel(PlannedLevel):
    """All vertices of a level as one batched operation.

    Args:
        plan: partners and supports of the level's vertices.
        modalities: M.
        width: D.
        hidden: width inside the network that all vertices of the level share.
        theta: offset of the similarity.
    """

    def __init__(
        self, plan: LevelPlan, modalities: int, width: int, hidden: int, theta: float
    ) -> None:
        super().__init__(plan, modalities)
        self.theta = theta
        self.network = nn.Sequential(
            nn.Linear(2 * width, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, width), nn.Tanh()
        )

    def forward(
        self,
        vectors: Float[Tensor, "b k d"],
        signals: Float[Tensor, "b k d"],
        scores: Float[Tensor, "b k"],
        present: Bool[Tensor, "b m"],
    ) -> GFNLevelOutput:
        """Join partners from a pool: ``vectors`` are compared, ``signals`` go into the network."""
        mask = self.complete(present)
        mass = vectors.softmax(dim=2)
        similarity = self.pick(mass @ mass.transpose(1, 2))
        q = (scores[:, self.left] + scores[:, self.right]) / (similarity + self.theta)
        n = masked_softmax(q.unsqueeze(2), mask)
        left, right = (signals.index_select(1, side) for side in (self.left, self.right))
        V = self.network(torch.cat([left, right], dim=2))
        return GFNLevelOutput(
            V, functional.elu(n * V), q, n.squeeze(2), similarity.where(mask, 0.0)
        )
