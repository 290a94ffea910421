"""The layers of ELMo (Peters et al. 2018): character CNN and recurrent layer with projection.

Shapes: W words, C characters of a word, S sentences, T steps, D the model's output width of one
direction (`projection_dim`), H the width of its memory cells (`dim`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Highway:
    """y = g relu(W_t x + b_t) + (1 - g) x with the gate g = sigmoid(W_c x + b_c)."""

    w_transform: Float[Tensor, "n n"]
    b_transform: Float[Tensor, " n"]
    w_carry: Float[Tensor, "n n"]
    b_carry: Float[Tensor, " n"]

    def __call__(self, x: Float[Tensor, "W n"]) -> Float[Tensor, "W n"]:
        """Return y, of the shape of x."""
        gate = torch.addmm(self.b_carry, x, self.w_carry).sigmoid_()
        transformed = torch.addmm(self.b_transform, x, self.w_transform).relu_()
        return torch.lerp(x, transformed, gate)


@dataclass(frozen=True)
class CharacterCNN:
    """A word's vector from its characters alone: convolutions, maximum, highways, projection."""

    embedding: Float[Tensor, "symbols e"]
    filters: list[tuple[Float[Tensor, "_ e _"], Float[Tensor, " _"]]]  # [out, e, width], [out]
    highways: list[Highway]
    w_projection: Float[Tensor, "n D"]
    b_projection: Float[Tensor, " D"]

    def __call__(self, ids: Int[Tensor, "W C"]) -> Float[Tensor, "W D"]:
        """Return the words' vectors; the padding of a word takes part, as in the original."""
        characters = F.embedding(ids, self.embedding).transpose(1, 2)  # [W, e, C]
        pooled = [F.conv1d(characters, w, b).amax(dim=2) for w, b in self.filters]
        x = torch.cat(pooled, dim=1).relu_()
        for highway in self.highways:
            x = highway(x)
        return torch.addmm(self.b_projection, x, self.w_projection)


@dataclass(frozen=True)
class RecurrentLayer:
    """One direction of one LSTM layer whose output is projected to D and fed back so.

    i, j, f, o = x W_x + h W_h + b;  c' = clip(sigmoid(i) tanh(j) + sigmoid(f + 1) c);
    h' = clip((sigmoid(o) tanh(c')) W_p). The constant 1 is already within `bias`.
    """

    w_input: Float[Tensor, "D four_H"]
    w_hidden: Float[Tensor, "D four_H"]
    bias: Float[Tensor, " four_H"]
    w_projection: Float[Tensor, "H D"]
    cell_clip: float
    projection_clip: float

    def __call__(
        self,
        x: Float[Tensor, "T S D"],
        state: tuple[Float[Tensor, "S D"], Float[Tensor, "S H"]] | None = None,
    ) -> Float[Tensor, "T S D"]:
        """Return h' of every step, from zero or from `state` (h, c)."""
        steps, sentences, width = x.shape
        # What the input adds to the gates does not wait for the step before: one product for all.
        inputs = torch.addmm(self.bias, x.reshape(-1, width), self.w_input)
        inputs = inputs.view(steps, sentences, -1)
        h, c = state or (
            x.new_zeros(sentences, width),
            x.new_zeros(sentences, self.w_projection.shape[0]),
        )
        outputs = torch.empty_like(x)
        for step in range(steps):
            h, c = self.step(inputs[step], h, c)
            outputs[step] = h
        return outputs

    def step(
        self,
        inputs: Float[Tensor, "S four_H"],
        h: Float[Tensor, "S D"],
        c: Float[Tensor, "S H"],
    ) -> tuple[Float[Tensor, "S D"], Float[Tensor, "S H"]]:
        """Return (h', c') from x W_x + b and the step before."""
        i, j, f, o = torch.addmm(inputs, h, self.w_hidden).chunk(4, dim=1)
        c = torch.sigmoid(f).mul_(c).addcmul_(torch.sigmoid(i), torch.tanh(j))
        c.clamp_(-self.cell_clip, self.cell_clip)
        h = (torch.sigmoid(o).mul_(torch.tanh(c)) @ self.w_projection).clamp_(
            -self.projection_clip, self.projection_clip
        )
        return h, c
