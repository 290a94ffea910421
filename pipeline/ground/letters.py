"""The characters of words in every script, as a character class for regular expressions."""

from __future__ import annotations

from itertools import groupby
from unicodedata import category

# Blocks of symbols and emoji of any category, variation selectors, and fractions.
_SYMBOLS = {*range(0x2000, 0x2C00), *range(0x1F000, 0x1FB00), 0xFE0E, 0xFE0F, 0xBC, 0xBD, 0xBE}
# A class: no control characters or changes of direction; a $ begins a formula of a picture.
LABEL = r"^[^\p{Cc}\x{2028}-\x{202e}\x{2066}-\x{2069}$|]+$"
# The underscore, and the joiners, which change the shape of letters.
_WITHIN_WORDS = (0x5F, 0x200C, 0x200D)


def _separates(code: int) -> bool:
    kind = category(chr(code))
    outside = code in _SYMBOLS or kind[0] in "ZPS" or kind in ("Cc", "Cf", "Cs")
    return outside and code not in _WITHIN_WORDS


def _ranges(codes: list[int]) -> str:
    runs = groupby(enumerate(codes), lambda pair: pair[1] - pair[0])
    ends = ((codes[0], codes[-1]) for _, run in runs if (codes := [code for _, code in run]))
    return "".join(rf"\U{first:08x}-\U{last:08x}" for first, last in ends)


# A letter, digit, combining mark, joiner or `_`: everything but space, control, punctuation and
# symbols. `\w` lacks the marks, without which words of Devanagari fall apart.
WORD = f"[^{_ranges([c for c in (*range(0x1FC00), *range(0xE0000, 0xE0080)) if _separates(c)])}]"
