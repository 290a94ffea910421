"""Seeds whose cells one stage trains: one, written 5, or a span of several, written 1-4."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

LARGEST = 2**32 - 1  # what numpy and torch take as a seed
MOST = 100  # cells of one stage, which are trained again together


class Span(NamedTuple):
    """The seeds of one stage, under the name that their folders have."""

    name: str
    seeds: Sequence[int]


def parse_span(text: object) -> Span:
    """Read a seed or a span of seeds; raises ValueError that says how one is written."""
    name = str(text)
    if not re.fullmatch("(0|[1-9][0-9]{0,9})(-[1-9][0-9]{0,9})?", name):
        raise ValueError(f"{text!r} is no seed (5) and no span of seeds (1-4)")
    first, last = int(name.partition("-")[0]), int(name.rpartition("-")[2])
    ascends = first < last < first + MOST if "-" in name else True
    if not ascends or last > LARGEST:
        raise ValueError(f"{text!r}: a span ascends over at most {MOST} seeds up to {LARGEST}")
    return Span(name, range(first, last + 1))
