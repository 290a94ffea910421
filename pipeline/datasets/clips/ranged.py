"""A remote file read piece by piece, so that only the wanted parts of it travel."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

PIECE = 512 << 10
KEPT = 8  # pieces: picture and sound lie beside each other, an index may lie at either end


class Part(NamedTuple):
    """Bytes of a file, how many the whole file has, and the server's name for its version."""

    data: bytes
    total: int
    version: str = ""


class Changed(Exception):  # noqa: N818 - not an error until it happens again
    """A file that is another one than when its first piece came."""


# Takes the first and the last byte's place in the file.
Ask = Callable[[int, int], Part]


class RangedFile(io.RawIOBase):
    """A seekable file of which each piece is asked for when it is read.

    A read raises what asking raises, and Changed where a piece is of another version.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._pieces: OrderedDict[int, bytes] = OrderedDict()
        self._place = 0
        self._total = 0
        self._version: str | None = None
        self._piece(0)  # tells the size, and whether the server gives ranges at all

    def readable(self) -> bool:
        """See io.RawIOBase."""
        return True

    def seekable(self) -> bool:
        """See io.RawIOBase."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """See io.RawIOBase."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._total}[whence]
        self._place = max(base + offset, 0)
        return self._place

    def tell(self) -> int:
        """See io.RawIOBase."""
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, never across the border of two pieces; b"" at the end."""
        number, inside = divmod(self._place, PIECE)
        if self._place >= self._total or size == 0:
            return b""
        piece = self._piece(number)
        data = piece[inside:] if size < 0 else piece[inside : inside + size]
        self._place += len(data)
        return data

    def _piece(self, number: int) -> bytes:
        if number not in self._pieces:
            first = number * PIECE
            last = min(first + PIECE, self._total or first + PIECE) - 1
            part = self._ask(first, last)
            if self._version is not None and part[1:] != (self._total, self._version):
                raise Changed
            self._pieces[number], self._total, self._version = part
            if len(self._pieces) > KEPT:
                self._pieces.popitem(last=False)
        self._pieces.move_to_end(number)
        return self._pieces[number]
