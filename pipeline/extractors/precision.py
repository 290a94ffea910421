"""The numbers that a network computes in, and how its weights are rounded to them."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float32
from torch import Tensor

# What params.yaml may say. Sums are kept in float32 with both.
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def number_type(precision: str) -> torch.dtype:
    """Return the torch type of a precision's name; raises ValueError for an unknown one."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; allowed: {', '.join(PRECISIONS)}")
    return PRECISIONS[precision]


def cpu_has_bfloat16() -> bool:
    """Tell whether this processor multiplies bfloat16 itself; others take longer."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def round_with_carry(weights: Float32[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Round to bfloat16 so that what one weight gains, the next of the same output loses.

    The sum of an output's weights stays what it was. Values after a ReLU share a positive mean, and
    a changed sum multiplies it: rounding each weight to its nearest costs ten times the error.
    """
    exact = weights.flatten(1).T.contiguous()  # [weights of one output, out]
    rounded = torch.empty_like(exact, dtype=torch.bfloat16)
    carry = torch.zeros_like(exact[0])
    for row, target in zip(exact.unbind(), rounded.unbind(), strict=True):
        carry += row
        target.copy_(carry)
        carry -= target
    return rounded.T.reshape(weights.shape)
