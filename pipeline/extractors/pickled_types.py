"""Stand-ins for what numpy calls when a pickled array is loaded: they only keep what they get."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

DIMENSIONS = 32
LONGEST = 1 << 40  # entries of one dimension


class PickledType:
    """A type of numbers on its way: its code, then its byte order."""

    def __init__(self, code: object, *_: object) -> None:
        code = _text(code, "a type")
        if code not in ("O8", "O", "f2", "f4", "f8", "i4", "i8", "b1"):
            raise ValueError(f"asks for the type {code!r}")
        self.code = code
        self.order = "="

    def build(self, state: tuple[Any, ...]) -> None:
        """Take the byte order out of what numpy keeps of a type."""
        order = _text(state[1], "a byte order")
        if order not in ("<", ">", "=", "|"):
            raise ValueError(f"asks for the byte order {order!r}")
        self.order = order


class PickledArray:
    """An array on its way: of numbers (`values`) or of objects (`items`)."""

    def __init__(self, *_: object) -> None:
        self.values: np.ndarray | None = None
        self.items: list[Any] = []

    def build(self, state: tuple[Any, ...]) -> None:
        """Take shape, type, order and contents, which must fit each other."""
        _, shape, kind, by_columns, data = state
        if not isinstance(kind, PickledType) or not _is_shape(shape):
            raise ValueError("an array without type or shape")
        if kind.code.startswith("O"):
            if not isinstance(data, list) or len(data) != math.prod(shape):
                raise ValueError("an array with fewer objects than it declares")
            self.items = data
            return
        number = np.dtype(kind.order + kind.code)
        raw = data.encode("latin-1") if isinstance(data, str) else data
        if not isinstance(raw, bytes):
            raise ValueError("an array whose numbers are not bytes")
        if len(raw) != math.prod(shape) * number.itemsize:
            raise ValueError(f"an array of shape {shape} in {len(raw):,} bytes")
        self.values = np.frombuffer(raw, number).reshape(shape, order="F" if by_columns else "C")


def _is_shape(shape: object) -> bool:
    """Tell it before anything is computed with it: numbers of any length can be in its place."""
    if not isinstance(shape, tuple) or len(shape) > DIMENSIONS:
        return False
    return all(isinstance(n, int) and 0 <= n < LONGEST for n in shape)


def encoded(text: object, encoding: object) -> bytes:
    """Return bytes that were pickled as Latin-1 text; raises ValueError for other encodings."""
    encoding = _text(encoding, "an encoding")
    if encoding != "latin1":
        raise ValueError(f"asks for the encoding {encoding!r}")
    return _text(text, "bytes").encode("latin-1")


def _text(name: object, of: str) -> str:
    """Refuse tuples of the same tuples: to write them into a message would take for ever."""
    if not isinstance(name, str):
        raise ValueError(f"asks for {of} by no name")
    return name


# What stands in for the names that numpy writes, of either major version.
CALLED: dict[str, Callable[..., Any]] = {
    "numpy.core.multiarray _reconstruct": PickledArray,
    "numpy._core.multiarray _reconstruct": PickledArray,
    "numpy ndarray": PickledArray,
    "numpy dtype": PickledType,
    "_codecs encode": encoded,
}
