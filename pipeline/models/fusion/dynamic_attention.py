"""Dynamic Attention Unit: importance of each modality, sample by sample (eq. 1)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.fusion.block_convolution import block_convolution, block_kernel, tap_places

KERNEL = 5  # "5 by 5 and 1 by 1" (section III-B)
PART = 1 << 19  # numbers of the maps at once on a CPU: as float32 2 MiB, which a core keeps near


class DynamicAttentionUnit(nn.Module):
    """Two convolutions over the stacked map of M vectors, LeakyReLU after both (eq. 1).

    The first kernel is 5 wide and max(5, 2M - 1) tall: 5 by 5 as printed up to M = 3, and for
    more modalities the smallest height with which each still sees every other. The position of a
    modality matters, so the order of the rows is part of the model.

    Args:
        modalities: M.
        channels: maps between the two convolutions.
        vector: one weight a feature instead of the mean over features.
        gate: squash the weights with a sigmoid; the paper does not, they may be negative.
    """

    offsets: Tensor  # (M, M), row of the kernel with which output row i reads input row j
    places: Tensor

    def __init__(
        self, modalities: int, channels: int = 16, vector: bool = False, gate: bool = False
    ) -> None:
        super().__init__()
        height = max(KERNEL, 2 * modalities - 1)
        self.vector = vector
        self.gate = gate
        self.conv = nn.Conv2d(1, channels, (height, KERNEL), padding="same")
        self.mix = nn.Linear(channels, 1)  # the 1 by 1 convolution
        # Start near w = 1, where eq. 2 is the plain mean. A negative start would sit on the flat
        # side of the LeakyReLU, and the unimodal level would begin, and stay, near 0.
        nn.init.ones_(self.mix.bias)
        self.activation = nn.LeakyReLU()
        rows = torch.arange(modalities)
        self.register_buffer("offsets", rows - rows[:, None] + height // 2, persistent=False)
        self.register_buffer("places", tap_places(KERNEL), persistent=False)

    def forward(self, units: Float[Tensor, "b m d"]) -> Float[Tensor, "b m w"]:
        """Weights w_m of eq. 1: (B, M, 1), or (B, M, D) where they are vectors."""
        mixed = self._mixed(units)  # (B, D, M)
        weights = self.activation(mixed).transpose(1, 2)  # (B, M, D)
        if not self.vector:
            weights = weights.mean(dim=2, keepdim=True)
        return weights.sigmoid() if self.gate else weights

    def _mixed(self, units: Float[Tensor, "b m d"]) -> Float[Tensor, "b d m"]:
        """Both convolutions, the modalities as channels: no row of padding is computed."""
        rows, count, width = units.shape
        kernel = self.conv.weight.squeeze(1)[:, self.offsets]  # (c, M out, M in, 5)
        flat = kernel.transpose(0, 1).flatten(0, 1)  # (M c, M in, 5)
        assert self.conv.bias is not None
        first = block_kernel(flat, self.conv.bias.repeat(count), self.places)
        padded = functional.pad(units, (KERNEL // 2, KERNEL // 2))
        mixed = []
        parts = -(-rows * width * len(flat) // PART) if units.device.type == "cpu" else 1
        for part in padded.chunk(max(parts, 1)):
            maps = block_convolution(part, first).unflatten(2, (count, -1))  # (b, D, M, c)
            # With a vector: the gradient of a product with one row is five times as slow.
            mixed.append(maps @ self.mix.weight[0])
        return torch.cat(mixed) + self.mix.bias
