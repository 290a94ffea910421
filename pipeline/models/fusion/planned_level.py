"""A level of a fusion graph that knows which of its vertices a row can have."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pipeline.models.fusion.vertices import LevelPlan


class PlannedLevel(nn.Module):
    """Partners and supports of a level's vertices as tensors that follow the module's device.

    They are derived from the plan, so they are no part of the saved state.

    Args:
        plan: partners and supports of the level's vertices.
        modalities: M.
    """

    left: Tensor  # (P,) left partner of each vertex, position in the pool
    right: Tensor
    members: Tensor  # (P, M), which modalities a vertex contains

    def __init__(self, plan: LevelPlan, modalities: int) -> None:
        super().__init__()
        left, right = torch.tensor(plan.pairs).unbind(dim=1)
        self.register_buffer("left", left, persistent=False)
        self.register_buffer("right", right, persistent=False)
        self.per_support = len(plan.pairs) // len(plan.supports)
        members = torch.zeros(len(plan.supports), modalities, dtype=torch.bool)
        for row, support in enumerate(plan.supports):
            members[row, list(support)] = True
        members = members.repeat_interleave(self.per_support, dim=0)
        self.register_buffer("members", members, persistent=False)

    def complete(self, present: Bool[Tensor, "b m"]) -> Bool[Tensor, "b p"]:
        """Which vertices contain no absent modality."""
        return (present.unsqueeze(1) | ~self.members).all(dim=2)

    def pick(self, table: Float[Tensor, "b k k"]) -> Float[Tensor, "b p"]:
        """Each vertex's entry (left, right) of a table of all pairs of the pool."""
        # index_select: the gradient of advanced indexing costs several times as much.
        return table.flatten(1).index_select(1, self.left * table.shape[1] + self.right)
