"""Sentences of any lengths laid end to end in lanes, so that each step does the same many rows.

Padding each sentence to its batch's longest would multiply by nothing for a third of the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace

import torch
from jaxtyping import Bool, Int
from torch import Tensor

# Rows of every matrix product over steps. Always as many, whatever there is to do: a product's
# last bit can change with its number of rows, and then a sentence's vectors with the sentences
# beside it.
LANES = 64

# Steps that one block of lanes takes, more where a sentence is longer: bounds the memory.
STEPS = 128


@dataclass(frozen=True)
class Lanes:
    """Rows of sentences laid in lanes; T steps, `LANES` lanes. Where nothing lies, row 0 stands.

    `first` and `last` mark where a sentence begins and ends; `places` tells for each sentence its
    lane and its steps.
    """

    rows: Int[Tensor, "T lanes"]
    first: Bool[Tensor, "T lanes"]
    last: Bool[Tensor, "T lanes"]
    places: list[tuple[int, slice]]


def lay(sentences: Sequence[Sequence[int]]) -> Lanes:
    """Lay each sentence, the longest first, into the lane that is shortest yet."""
    ends = [(0, lane) for lane in range(LANES)]
    heapify(ends)
    places = []
    for sentence in sentences:
        start, lane = ends[0]
        heapreplace(ends, (start + len(sentence), lane))
        places.append((lane, slice(start, start + len(sentence))))
    shape = (max(end for end, _ in ends), LANES)
    rows = torch.zeros(shape, dtype=torch.int64)
    first, last = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool)
    for sentence, (lane, steps) in zip(sentences, places, strict=True):
        rows[steps, lane] = torch.tensor(sentence)
        first[steps.start, lane] = last[steps.stop - 1, lane] = True
    return Lanes(rows, first, last, places)


def blocks(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Split sentences (their indices) into blocks for `lay`, longest first."""
    block: list[int] = []
    tokens = limit = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if block and tokens + lengths[index] > limit:
            yield block
            block, tokens = [], 0
        if not block:
            limit = LANES * max(STEPS, lengths[index])
        block.append(index)
        tokens += lengths[index]
    if block:
        yield block
