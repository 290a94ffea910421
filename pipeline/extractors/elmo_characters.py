"""Words to character ids, as ELMo's official mapper does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

# A word is its UTF-8 bytes between two marks, padded to 50; ids are these symbols plus one, so
# that zero can stand for "no word".
LONGEST_WORD = 50
BEGIN_SENTENCE, END_SENTENCE, BEGIN_WORD, END_WORD, PADDING = 256, 257, 258, 259, 260
SYMBOLS = 262

# The mapper takes these two words for the boundaries themselves, even inside a text.
BOUNDARIES = {"<S>": BEGIN_SENTENCE, "</S>": END_SENTENCE}


def character_ids(words: Sequence[str]) -> Int[np.ndarray, "words 50"]:
    """Return the character ids of each word: its first 48 UTF-8 bytes between two marks.

    What UTF-8 cannot hold (half of a surrogate pair) is left out, as in the original.
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
