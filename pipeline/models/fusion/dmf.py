"""Dense Multimodal Fusion (Hu, Wang, Nie and Li): a shared layer at every depth.

The paper's abstract names shared layers between modality-specific networks that are connected to
each other; its equations could not be read, and those below are the standard reconstruction.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pipeline.models.fusion.base import Fused, Fusion


class DMF(Fusion):
    """Modality-specific layers h and shared layers s, joined at every depth l = 1, 2, 3.

    h_m^l = ReLU(W_m^l h_m^(l-1) + b_m^l) with h_m^0 = x_m, and
    s^l = ReLU(sum_m U_m^l h_m^l + P^l s^(l-1) + c^l) without the P term at l = 1. The result is
    s^3, and the levels are s^1, s^2, s^3. The sums leave out the terms of absent modalities.

    Args:
        dims: width d_m of each modality's vector.
        width: D; the layers of the three depths are 2D, D and D/2 wide.
    """

    takes = ("width",)

    def __init__(self, dims: Mapping[str, int], width: int = 256) -> None:
        super().__init__(dims)
        self.level_dims = [2 * width, width, max(width // 2, 1)]
        self.joint_dim = self.level_dims[-1]
        self.depths = nn.ModuleList()
        private, shared = list(self.dims), 0
        for size in self.level_dims:
            self.depths.append(_Depth(private, shared, size))
            private, shared = [size] * len(self.dims), size

    def forward(
        self,
        features: Mapping[str, Float[Tensor, "b _"]],
        present: Mapping[str, Bool[Tensor, " b"]] | None = None,
    ) -> Fused:
        """Fuse vectors (B, d_m) to ``joint`` (B, D/2)."""
        private, mask = self.masked_inputs(features, present)
        shared = private[0].new_zeros(mask.shape[0], 0)
        levels = []
        for depth in self.depths:
            private, shared = depth(private, shared, mask)
            levels.append(shared)
        return Fused(shared, levels, {"absent": ~mask.any(dim=1)})


class _Depth(nn.Module):
    """One depth: private layers W, their joints U into the shared layer, and P from below."""

    def __init__(self, private: list[int], shared: int, width: int) -> None:
        super().__init__()
        self.W = nn.ModuleList(nn.Linear(size, width) for size in private)
        self.U = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in private)
        self.P = nn.Linear(shared, width, bias=False) if shared else None
        self.c = nn.Parameter(torch.zeros(width))

    def forward(
        self,
        private: list[Float[Tensor, "b _"]],
        shared: Float[Tensor, "b _"],
        present: Bool[Tensor, "b m"],
    ) -> tuple[list[Float[Tensor, "b w"]], Float[Tensor, "b w"]]:
        """Next private vectors, 0 where absent, and the next shared vector."""
        hidden = [W(h).relu() for W, h in zip(self.W, private, strict=True)]
        hidden = [torch.where(present[:, m : m + 1], h, 0.0) for m, h in enumerate(hidden)]
        total = sum((U(h) for U, h in zip(self.U, hidden, strict=True)), start=self.c)
        if self.P is not None:
            total = total + self.P(shared)
        return hidden, torch.where(present.any(dim=1, keepdim=True), total.relu(), 0.0)
