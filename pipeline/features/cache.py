"""The item cache: what one sample gave, in one file named by what it was computed from."""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np

_DIGEST = 32


@dataclass(frozen=True)
class Entry:
    """What extraction gave for one sample: an array, a fault (kind, message), or both."""

    array: np.ndarray | None
    fault: tuple[str, str] | None = None


class ItemCache:
    """A folder of entries, safe for several writers without locks.

    An entry is written to a temporary name of its own and renamed: it is there whole or not at
    all, and two writers of one key write the same bytes. Each entry begins with the sha256 of its
    contents; a damaged one is dropped and counted in `damaged`, so that it is made again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged = 0

    def get(self, key: str) -> Entry | None:
        """Return the entry of a key, or None if there is none that is whole."""
        try:
            data = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(data[_DIGEST:]).digest() != data[:_DIGEST]:
            self._path(key).unlink(missing_ok=True)
            self.damaged += 1
            return None
        return _decode(data[_DIGEST:])

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry under a key."""
        contents = _encode(entry)
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{key}.{uuid4().hex}.part")
        try:
            temporary.write_bytes(hashlib.sha256(contents).digest() + contents)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key


def _encode(entry: Entry) -> bytes:
    buffer = io.BytesIO()
    buffer.write(json.dumps(entry.fault).encode() + b"\n")
    if entry.array is not None:
        np.save(buffer, entry.array, allow_pickle=False)
    return buffer.getvalue()


def _decode(contents: bytes) -> Entry:
    header, array = contents.split(b"\n", 1)
    fault = json.loads(header)
    return Entry(
        np.load(io.BytesIO(array), allow_pickle=False) if array else None,
        tuple(fault) if fault else None,
    )
