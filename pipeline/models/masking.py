"""Softmax and mean under a mask, also where nothing is present; valid steps of sequences."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def masked_softmax(
    scores: Float[Tensor, "b k w"], mask: Bool[Tensor, "b k"]
) -> Float[Tensor, "b k w"]:
    """Softmax over the k entries where the mask is True; the others, and rows without any, are 0.

    The value and the gradient are finite for every mask.
    """
    valid = mask.unsqueeze(-1)
    # The lowest finite number instead of -inf, with which a fully masked row would be NaN.
    lowest = torch.finfo(scores.dtype).min
    return torch.where(valid, scores.masked_fill(~valid, lowest).softmax(dim=1), 0.0)


def masked_mean(values: Float[Tensor, "b k d"], mask: Bool[Tensor, "b k"]) -> Float[Tensor, "b d"]:
    """Mean over the k entries where the mask is True; 0 in rows without any."""
    total = torch.where(mask.unsqueeze(-1), values, 0.0).sum(dim=1)
    return total / mask.sum(dim=1, keepdim=True).clamp(min=1)


def valid_steps(lengths: Int[Tensor, " b"], steps: int) -> Bool[Tensor, "b t"]:
    """Mask (B, steps) that is True on the first ``lengths[b]`` steps of row b."""
    return torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)
