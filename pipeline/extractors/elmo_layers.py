"""The layers of ELMo (Peters et al. 2018): character CNN and recurrent layer with projection.

Shapes: W words, C characters of a word, T steps, R lanes (see elmo_lanes.py), D the model's output
width of one direction (`projection_dim`), H the width of its memory cells (`dim`). Matrices that
are multiplied have the numbers of the chosen precision, all else is float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor
from torch.nn import functional as F


def product(x: Float[Tensor, "rows n"], weights: Float[Tensor, "m n"]) -> Float32[Tensor, "rows m"]:
    """Return x weights^T, multiplied in the weights' precision, as float32."""
    return torch.mm(x.to(weights.dtype), weights.T).float()


@dataclass(frozen=True)
class Highway:
    """y = g relu(W_t x + b_t) + (1 - g) x with the gate g = sigmoid(W_c x + b_c)."""

    w_transform: Float[Tensor, "n n"]
    b_transform: Float[Tensor, " n"]
    w_carry: Float[Tensor, "n n"]
    b_carry: Float[Tensor, " n"]

    def __call__(self, x: Float[Tensor, "W n"]) -> Float[Tensor, "W n"]:
        """Return y, of the shape of x."""
        gate = product(x, self.w_carry).add_(self.b_carry).sigmoid_()
        transformed = product(x, self.w_transform).add_(self.b_transform).relu_()
        return torch.lerp(x, transformed, gate)


@dataclass(frozen=True)
class CharacterCNN:
    """A word's vector from its characters alone: convolutions, maximum, highways, projection."""

    embedding: Float[Tensor, "symbols e"]
    filters: list[tuple[Float[Tensor, "_ e _"], Float[Tensor, " _"]]]  # [out, e, width], [out]
    highways: list[Highway]
    w_projection: Float[Tensor, "D n"]
    b_projection: Float[Tensor, " D"]

    def __call__(self, ids: Int[Tensor, "W C"]) -> Float32[Tensor, "W D"]:
        """Return the words' vectors; the padding of a word takes part, as in the original."""
        characters = F.embedding(ids, self.embedding).transpose(1, 2)  # [W, e, C]
        pooled = [F.conv1d(characters, w).amax(dim=2).add_(b) for w, b in self.filters]
        x = torch.cat(pooled, dim=1).relu_()
        for highway in self.highways:
            x = highway(x)
        return product(x, self.w_projection).add_(self.b_projection)


@dataclass(frozen=True)
class Cells:
    """A few of a layer's memory cells: the columns `span` of its H, and their four gates.

    So few that what their gates compute stays in the processor's cache from one line to the next.
    Rows of `weights` are the gates i, f, o and j, each for all cells, over input and h together.
    Those of j are doubled: tanh(j) is 2 sigmoid(2 j) - 1, and one sigmoid then does for all four,
    in a tenth of the time that tanh takes.
    """

    span: slice
    weights: Float[Tensor, "four_n two_D"]
    bias: Float32[Tensor, " four_n"]

    def step(
        self, both: Float[Tensor, "R two_D"], c: Float32[Tensor, "R H"], clip: float
    ) -> Float32[Tensor, "R n"]:
        """Bring these cells of c one step on, in place; return sigmoid(o) tanh(c')."""
        gates = product(both, self.weights).add_(self.bias).sigmoid_()
        i, f, o, j = gates.chunk(4, dim=1)
        c = c[:, self.span]
        c.mul_(f).addcmul_(i, j, value=2).sub_(i).clamp_(-clip, clip)
        return torch.mul(c, 2).sigmoid_().mul_(2).sub_(1).mul_(o)


@dataclass(frozen=True)
class RecurrentLayer:
    """One direction of one LSTM layer whose output is projected to D and fed back so.

    i, j, f, o = x W_x + h W_h + b;  c' = clip(sigmoid(i) tanh(j) + sigmoid(f + 1) c);
    h' = clip((sigmoid(o) tanh(c')) W_p). The constant 1 is already within the bias.
    """

    cells: list[Cells]
    w_projection: Float[Tensor, "D H"]
    cell_clip: float
    projection_clip: float

    def __call__(
        self, x: Float32[Tensor, "T R D"], first: Bool[Tensor, "T R"]
    ) -> Float32[Tensor, "T R D"]:
        """Return h' of every step; where `first` is true, a sentence begins from zero."""
        width, memory = self.w_projection.shape
        both = self.w_projection.new_zeros(x.shape[1], 2 * width)  # x beside h, for one product
        c = x.new_zeros(x.shape[1], memory)
        open_cells = self.w_projection.new_empty(x.shape[1], memory)
        outputs = torch.empty_like(x)
        for step, begins in enumerate(first):
            both[:, :width] = x[step]
            both[begins, width:] = 0
            c[begins] = 0
            for cells in self.cells:
                open_cells[:, cells.span] = cells.step(both, c, self.cell_clip)
            h = product(open_cells, self.w_projection)
            outputs[step] = h.clamp_(-self.projection_clip, self.projection_clip)
            both[:, width:] = outputs[step]
        return outputs
