"""Projections of all modalities to one width, and the fusion that only concatenates them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pipeline.models.fusion.base import Fused, Fusion


class Projections(nn.ModuleList):
    """Linear + LayerNorm to one width D for each modality.

    Args:
        dims: width d_m of each modality's vector.
        width: D.
        norm: False leaves out the LayerNorm.
    """

    def __init__(self, dims: Sequence[int], width: int, norm: bool = True) -> None:
        super().__init__(
            nn.Sequential(nn.Linear(dim, width), *([nn.LayerNorm(width)] if norm else []))
            for dim in dims
        )

    def forward(
        self, inputs: list[Float[Tensor, "b _"]], present: Bool[Tensor, "b m"]
    ) -> Float[Tensor, "b m d"]:
        """Stack M vectors (B, d_m) to (B, M, D); absent ones are 0 despite the biases."""
        projected = [project(x) for project, x in zip(self, inputs, strict=True)]
        return torch.where(present.unsqueeze(2), torch.stack(projected, dim=1), 0.0)


class Projected(Fusion):
    """HGFN's projections side by side, without its graph.

    The control for HGFN: what HGFN gains over concatenation (`CFC`) and not over this fusion comes
    from the projections. An absent modality's slice is 0. There are no levels.

    Args:
        dims: width d_m of each modality's vector.
        width: D, to which every modality is projected.
    """

    takes = ("width",)

    def __init__(self, dims: Mapping[str, int], width: int = 256) -> None:
        super().__init__(dims)
        self.projections = Projections(self.dims, width)
        self.joint_dim = len(self.dims) * width

    def forward(
        self,
        features: Mapping[str, Float[Tensor, "b _"]],
        present: Mapping[str, Bool[Tensor, " b"]] | None = None,
    ) -> Fused:
        """Project and concatenate vectors (B, d_m) to ``joint`` (B, M * D)."""
        inputs, mask = self.masked_inputs(features, present)
        projected = self.projections(inputs, mask)
        return Fused(projected.flatten(1), [], {"absent": ~mask.any(dim=1)})
