from __future__ import annotations

from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from pipeline.models.fusion.block_convolution import block_convolution, block_kernel, tap_places


# One position, whole blocks, and blocks that stick out by every amount; kernels within a block of
# features and over three of them.
@given(
    width=st.integers(9, 14),
    taps=st.integers(1, 9),
    inputs=st.integers(1, 3),
    channels=st.integers(1, 3),
    rows=st.integers(0, 3),
)
def test_equals_conv1d_and_leaky_relu_with_channels_last(
    same_function: Any, width: int, taps: int, inputs: int, channels: int, rows: int
) -> None:
    signal = torch.randn(rows, inputs, width, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(channels, inputs, taps, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(channels, dtype=torch.float64, requires_grad=True)
    ours = block_convolution(signal, block_kernel(weight, bias, tap_places(taps).double()))
    torchs = functional.leaky_relu(functional.conv1d(signal, weight, bias)).transpose(1, 2)
    same_function(ours, torchs, (signal, weight, bias))
