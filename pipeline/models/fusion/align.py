"""Vectors of different widths brought to one: the "padding" before eq. 1."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional


class PadAlign(nn.Module):
    """Zeros after the last feature, up to the widest modality: the paper's words read literally.

    The zeros enter the softmax of eq. 4 with mass e^0 each and pull every similarity towards 1.
    """

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.width = max(dims)

    def forward(
        self, inputs: list[Float[Tensor, "b _"]], present: Bool[Tensor, "b m"]
    ) -> Float[Tensor, "b m d"]:
        """Stack M vectors (B, d_m) to (B, M, max d_m); absent ones are 0."""
        padded = [functional.pad(x, (0, self.width - x.shape[1])) for x in inputs]
        return torch.stack(padded, dim=1)  # absent inputs are already 0


class LinearAlign(nn.Module):
    """One Linear + LayerNorm a modality.

    LayerNorm keeps the spread of the features in the range where the cosine of their softmaxes
    (eq. 4) responds to them: at a standard deviation s it is about exp(-s^2).
    """

    def __init__(self, dims: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.width = width
        self.projections = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, width), nn.LayerNorm(width)) for dim in dims
        )

    def forward(
        self, inputs: list[Float[Tensor, "b _"]], present: Bool[Tensor, "b m"]
    ) -> Float[Tensor, "b m d"]:
        """Project M vectors (B, d_m) to (B, M, width); absent ones are 0 whatever the biases."""
        projected = [project(x) for project, x in zip(self.projections, inputs, strict=True)]
        return torch.where(present.unsqueeze(-1), torch.stack(projected, dim=1), 0.0)
