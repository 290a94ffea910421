"""A 1-D convolution of few channels as a matrix product over blocks of positions."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

BLOCK = 4  # positions a row of the product: wide enough to fill a vector register


def block_convolution(
    signal: Float[Tensor, "b i n"], weight: Float[Tensor, "c i s"], bias: Float[Tensor, " c"]
) -> Float[Tensor, "b positions c"]:
    """``conv1d`` without padding, its channels next to each other at each position.

    torch's own spends five times its forward time backwards where there are few input channels;
    this takes a third of the two together on a CPU.

    Args:
        signal: (B, i, N).
        weight: (c, i, s), one kernel of s taps a pair of channels.
        bias: (c,).

    Returns:
        (B, N - s + 1, c).
    """
    channels, _, taps = weight.shape
    positions = signal.shape[2] - taps + 1
    missing = -positions % BLOCK
    if missing:
        signal = functional.pad(signal, (0, missing))
    windows = signal.unfold(2, BLOCK + taps - 1, BLOCK)  # (B, i, blocks, BLOCK + s - 1)
    # The kernel once for each position of a block, moved along by as much.
    shifted = [functional.pad(weight, (i, BLOCK - 1 - i)).flatten(1) for i in range(BLOCK)]
    rows = windows.transpose(1, 2).flatten(2)  # (B, blocks, i (BLOCK + s - 1))
    out = functional.linear(rows, torch.cat(shifted), bias.repeat(BLOCK))
    out = out.unflatten(2, (BLOCK, channels)).flatten(1, 2)
    return out[:, :positions] if missing else out
