"""Common fuse by concatenation: the baseline without a learned fusion."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pipeline.models.fusion.base import Fused, Fusion


class CFC(Fusion):
    """All modalities' vectors side by side, in the stored order.

    Without parameters: a projection before the concatenation would be a learned fusion. An absent
    modality's slice is 0. There are no levels.

    Args:
        dims: width d_m of each modality's vector.
    """

    def __init__(self, dims: Mapping[str, int]) -> None:
        super().__init__(dims)
        self.joint_dim = sum(self.dims)

    def forward(
        self,
        features: Mapping[str, Float[Tensor, "b _"]],
        present: Mapping[str, Bool[Tensor, " b"]] | None = None,
    ) -> Fused:
        """Concatenate vectors (B, d_m) to ``joint`` (B, sum of d_m)."""
        inputs, mask = self.masked_inputs(features, present)
        return Fused(torch.cat(inputs, dim=1), [], {"absent": ~mask.any(dim=1)})
