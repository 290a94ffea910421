"""A site's file read in pieces, so that little more than the requested seconds is transferred."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from yt_dlp import YoutubeDL
from yt_dlp.networking import Request, Response
from yt_dlp.networking.exceptions import TransportError

from pipeline.datasets.clips.failures import with_retries

PLAIN = ("http", "https")  # yt-dlp's protocols of files; others come in segments
PIECE = 512 << 10
# Pieces in memory: picture and sound are interleaved, and an index may be at either end.
CACHED = 8


class Piece(NamedTuple):
    """Bytes of a file, the whole file's size, and the server's name for its version."""

    data: bytes
    total: int
    version: str = ""


class NoRanges(Exception):  # noqa: N818 - not an error: the whole file is fetched instead
    """A server that sends whole files only, or pieces of two versions of a file."""


class RangedFile:
    """What FFmpeg needs of a file, each piece requested when it is read.

    `request` takes the places of a piece's first and last byte. Reading raises what it raises, and
    NoRanges if a piece is of another version of the file than the first one.
    """

    def __init__(self, request: Callable[[int, int], Piece]) -> None:
        self._request = request
        self._piece = lru_cache(maxsize=CACHED)(self._request_piece)
        self._place = 0
        self._size = PIECE
        self._version: tuple[int, str] | None = None
        self._piece(0)  # for the size, and to know whether the server sends pieces

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position, which may be after the end, and return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(base + offset, 0)
        return self._place

    def tell(self) -> int:
        """Return the place that is read next."""
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, never across the border of two pieces; b"" at the end."""
        number, inside = divmod(self._place, PIECE)
        if self._place >= self._size or size == 0:
            return b""
        piece = self._piece(number)
        data = piece[inside:] if size < 0 else piece[inside : inside + size]
        self._place += len(data)
        return data

    def _request_piece(self, number: int) -> bytes:
        first = number * PIECE
        piece = self._request(first, min(first + PIECE, self._size) - 1)
        if self._version not in (None, piece[1:]):
            raise NoRanges
        self._version, self._size = piece[1:], piece.total
        return piece.data


def open_ranged(
    client: YoutubeDL, file: dict[str, Any], check: Callable[[int], None]
) -> RangedFile:
    """Open one of yt-dlp's formats, requested with yt-dlp's own headers, cookies and proxies.

    `check` gets the number of bytes so far before each piece. Raises NoRanges, or yt-dlp's network
    errors once its retries are used up.
    """
    if file.get("protocol") not in PLAIN or file.get("impersonate"):
        raise NoRanges
    received = 0

    def request(first: int, last: int) -> Piece:
        nonlocal received
        check(received)
        piece = with_retries(client, lambda: _request_piece(client, file, first, last))
        received += len(piece.data)
        return piece

    return RangedFile(request)


def _request_piece(client: YoutubeDL, file: dict[str, Any], first: int, last: int) -> Piece:
    headers = {**file.get("http_headers", {}), "Range": f"bytes={first}-{last}"}
    # Compressed on the way, a piece would not be a piece of the file.
    headers["Accept-Encoding"] = "identity"
    with client.urlopen(Request(file["url"], headers=headers)) as reply:
        return _read_piece(reply, first, last)


def _read_piece(reply: Response, first: int, last: int) -> Piece:
    sent = re.fullmatch(rf"bytes {first}-(\d+)/(\d+)", reply.headers.get("Content-Range", ""))
    if reply.status != 206 or sent is None:
        raise NoRanges
    total = int(sent[2])
    size = min(last, total - 1) - first + 1
    data = b""
    # One byte more than requested is enough to see that a server does not stop.
    while len(data) <= size and (more := reply.read(size + 1 - len(data))):
        data += more
    if int(sent[1]) != first + size - 1 or len(data) != size:
        raise TransportError(f"sent {len(data)} of {size} bytes")
    tag = reply.get_header("ETag", "")
    # A weak tag names equivalent versions, whose bytes may differ.
    version = tag if tag and not tag.startswith("W/") else reply.get_header("Last-Modified", "")
    return Piece(data, total, version)
