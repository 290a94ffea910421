"""The item cache: what one sample gave, in one file named by what it was computed from."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

from pipeline.features.entry import Entry, decode, encode


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
        data = self._read(key)
        if data is None:
            return None
        entry = decode(data)
        if entry is None:
            self._drop(key)
            self.damaged += 1
        return entry

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry under a key."""
        self._write(key, encode(entry))

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    # Where bytes lie is known to these three alone; a cache elsewhere overrides them.

    def _read(self, key: str) -> bytes | None:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, key: str, data: bytes) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{key}.{uuid4().hex}.part")
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def _drop(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key
