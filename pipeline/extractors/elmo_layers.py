"""The layers of ELMo (Peters et al. 2018): character ids, character CNN, projected LSTM.

Shapes: W words, C characters of a word, T steps, R lanes (see elmo.py), D the output width of one
direction (`projection_dim`), H the number of its memory cells (`dim`). Matrices that are
multiplied have the chosen precision, everything else is float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor
from torch.nn import functional as F

# A word is its UTF-8 bytes between two marks, padded to 50. Ids are these symbols plus one; zero
# means "no word".
LONGEST_WORD = 50
BEGIN_SENTENCE, END_SENTENCE, BEGIN_WORD, END_WORD, PADDING = 256, 257, 258, 259, 260
SYMBOLS = 262

# The official mapper treats these two words as the boundaries, even inside a text.
BOUNDARIES = {"<S>": BEGIN_SENTENCE, "</S>": END_SENTENCE}


def character_ids(words: Sequence[str]) -> Int[np.ndarray, "words 50"]:
    """Return the character ids of each word: its first 48 UTF-8 bytes between two marks.

    What UTF-8 cannot encode (half of a surrogate pair) is left out, as in the original.
    """
    ids = np.full((len(words), LONGEST_WORD), PADDING, dtype=np.int64)
    for row, word in zip(ids, words, strict=True):
        symbols = _symbols(word)
        row[: len(symbols)] = symbols
    return ids + 1


def _symbols(word: str) -> list[int]:
    boundary = BOUNDARIES.get(word)
    if boundary is not None:
        return [BEGIN_WORD, boundary, END_WORD]
    return [BEGIN_WORD, *word.encode("utf-8", "ignore")[: LONGEST_WORD - 2], END_WORD]


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
        """Return y."""
        gate = product(x, self.w_carry).add_(self.b_carry).sigmoid_()
        transformed = product(x, self.w_transform).add_(self.b_transform).relu_()
        return torch.lerp(x, transformed, gate)


@dataclass(frozen=True)
class CharacterCNN:
    """A word's vector from its characters: convolutions, maximum, highways, projection."""

    embedding: Float[Tensor, "symbols e"]
    filters: list[tuple[Float[Tensor, "_ e _"], Float[Tensor, " _"]]]  # [out, e, width], [out]
    highways: list[Highway]
    w_projection: Float[Tensor, "D n"]
    b_projection: Float[Tensor, " D"]

    def __call__(self, ids: Int[Tensor, "W C"]) -> Float32[Tensor, "W D"]:
        """Return the words' vectors; the maxima include padding, as in the original."""
        characters = F.embedding(ids, self.embedding).transpose(1, 2)  # [W, e, C]
        pooled = [F.conv1d(characters, w).amax(dim=2).add_(b) for w, b in self.filters]
        x = torch.cat(pooled, dim=1).relu_()
        for highway in self.highways:
            x = highway(x)
        return product(x, self.w_projection).add_(self.b_projection)


@dataclass(frozen=True)
class Cells:
    """The memory cells `columns` of a layer's H, few enough for the processor's cache.

    Rows of `weights` are the gates i, f, o and j, each for all cells, over input and h together.
    Those of j are doubled: tanh(j) = 2 sigmoid(2 j) - 1, and one sigmoid for all four takes a tenth
    of tanh's time.
    """

    columns: slice
    weights: Float[Tensor, "four_n two_D"]
    bias: Float32[Tensor, " four_n"]

    def step(
        self, both: Float[Tensor, "R two_D"], c: Float32[Tensor, "R H"], clip: float
    ) -> Float32[Tensor, "R n"]:
        """Advance these cells of c by one step, in place; return sigmoid(o) tanh(c')."""
        gates = product(both, self.weights).add_(self.bias).sigmoid_()
        i, f, o, j = gates.chunk(4, dim=1)
        c = c[:, self.columns]
        c.mul_(f).addcmul_(i, j, value=2).sub_(i).clamp_(-clip, clip)
        return torch.mul(c, 2).sigmoid_().mul_(2).sub_(1).mul_(o)


@dataclass(frozen=True)
class RecurrentLayer:
    """One direction of one LSTM layer whose output is projected to D and fed back.

    i, j, f, o = x W_x + h W_h + b;  c' = clip(sigmoid(i) tanh(j) + sigmoid(f + 1) c);
    h' = clip((sigmoid(o) tanh(c')) W_p). The constant 1 is part of the bias.
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
        both = self.w_projection.new_zeros(x.shape[1], 2 * width)  # [x, h], for one product
        c = x.new_zeros(x.shape[1], memory)
        gated = self.w_projection.new_empty(x.shape[1], memory)
        outputs = torch.empty_like(x)
        for step, begins in enumerate(first):
            both[:, :width] = x[step]
            both[begins, width:] = 0
            c[begins] = 0
            for cells in self.cells:
                gated[:, cells.columns] = cells.step(both, c, self.cell_clip)
            h = product(gated, self.w_projection)
            outputs[step] = h.clamp_(-self.projection_clip, self.projection_clip)
            both[:, width:] = outputs[step]
        return outputs
