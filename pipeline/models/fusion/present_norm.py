"""Batch normalisation that only sees the rows that have something to normalise."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional


class PresentBatchNorm(nn.BatchNorm1d):
    """BatchNorm1d over the present rows; absent rows are 0 and leave no trace in the statistics.

    One row has no variance: in training it is normalised by the running statistics, as in
    evaluation, and does not change them.
    """

    def forward(  # type: ignore[override]  # which rows are present is part of the input
        self, x: Float[Tensor, "b d"], rows: Bool[Tensor, " b"]
    ) -> Float[Tensor, "b d"]:
        """Normalise the chosen rows of (B, D)."""
        chosen = x[rows]
        if self.training and len(chosen) > 1:
            normalised = super().forward(chosen)
        else:
            normalised = functional.batch_norm(
                chosen, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return torch.zeros_like(x).masked_scatter(rows.unsqueeze(1), normalised)
