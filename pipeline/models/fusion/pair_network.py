"""CONV of eq. 3: the vertices of a level from the vectors of their partners."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.fusion.block_convolution import (
    BlockKernel,
    block_convolution,
    block_kernel,
    tap_places,
)

KERNEL = 5
MARGIN = KERNEL // 2
SEAM = 4  # positions on either side of the seam; the kernel crosses it in MARGIN of them


class PairNetwork(nn.Module):
    """One 1-D convolution and one dense layer, LeakyReLU after both, shared by all vertices.

    A vertex reads its partners as one signal [V_a; V_b] of length 2D with one channel. All
    vertices of a level are computed at once, and what they have in common only once: away from
    the seam between the partners, the convolution and its part of the dense layer depend on one
    partner and its side. So each partner is convolved and mapped once a side, and a vertex adds
    its left and right parts to that of the seam. ``one_vertex`` is the same from the definition.

    Args:
        pairs: left and right partner of each vertex, as positions in the pool.
        width: D.
        channels: of the convolution.
    """

    left: Tensor  # (P,) partner on the left, position in the pool
    right: Tensor
    lefts: Tensor  # the distinct ones among them, ascending
    rights: Tensor
    left_of: Tensor  # (P,) left = lefts[left_of]
    right_of: Tensor
    places: Tensor

    def __init__(self, pairs: tuple[tuple[int, int], ...], width: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, channels, KERNEL, padding="same")
        # One dense layer in three parts, kept apart because splitting it costs at every step.
        away = max(width - SEAM, 0) * channels
        seam = 2 * width * channels - 2 * away
        bound = (2 * width * channels) ** -0.5  # nn.Linear's
        self.dense = nn.ParameterList(
            nn.Parameter(torch.empty(width, size).uniform_(-bound, bound))
            for size in (away, seam, away)
        )
        self.bias = nn.Parameter(torch.empty(width).uniform_(-bound, bound))
        self.activation = nn.LeakyReLU()
        # Buffers are derived from the plan and constants, so not part of the state that is saved.
        self.register_buffer("places", tap_places(KERNEL), persistent=False)
        for side, partners in zip(("left", "right"), torch.tensor(pairs).unbind(1), strict=True):
            distinct, position = partners.unique(return_inverse=True)
            self.register_buffer(side, partners.contiguous(), persistent=False)
            self.register_buffer(f"{side}s", distinct, persistent=False)
            self.register_buffer(f"{side}_of", position, persistent=False)

    def forward(self, pool: Float[Tensor, "b k d"]) -> Float[Tensor, "b p d"]:
        """All vertices (B, P, D) of a level from the pool (B, K, D) of possible partners."""
        reach = SEAM + MARGIN  # features of a partner that the seam's windows see
        if pool.shape[2] < reach:
            partners = torch.cat([pool[:, self.left], pool[:, self.right]], dim=2)
            return self.one_vertex(partners.flatten(0, 1)).unflatten(0, partners.shape[:2])
        assert self.conv.bias is not None
        kernel = block_kernel(self.conv.weight, self.conv.bias, self.places)
        W_left, W_seam, W_right = self.dense
        # A negative margin leaves off the features that only the seam's windows see.
        left = functional.pad(pool.index_select(1, self.lefts), (MARGIN, -MARGIN))
        right = functional.pad(pool.index_select(1, self.rights), (-MARGIN, MARGIN))
        ends = pool[:, :, -reach:].index_select(1, self.left)
        starts = pool[:, :, :reach].index_select(1, self.right)
        from_left = functional.linear(_convolve(left, kernel), W_left)
        from_right = functional.linear(_convolve(right, kernel), W_right)
        from_seam = functional.linear(
            _convolve(torch.cat([ends, starts], dim=2), kernel), W_seam, self.bias
        )
        sides = from_left.index_select(1, self.left_of) + from_right.index_select(1, self.right_of)
        return self.activation(sides + from_seam)

    def one_vertex(self, partners: Float[Tensor, "n two_d"]) -> Float[Tensor, "n d"]:
        """One vertex (N, D) from its concatenated partners (N, 2D), as eq. 3 is written."""
        signal = self.activation(self.conv(partners.unsqueeze(1)))  # (N, c, 2D)
        weight = torch.cat(list(self.dense), dim=1)
        dense = functional.linear(signal.transpose(1, 2).flatten(1), weight, self.bias)
        return self.activation(dense)


def _convolve(signal: Float[Tensor, "b k n"], kernel: BlockKernel) -> Float[Tensor, "b k m"]:
    alone = signal.flatten(0, 1).unsqueeze(1)  # (B K, 1, N)
    return block_convolution(alone, kernel).flatten(1).unflatten(0, signal.shape[:2])
