"""The item cache: the result of one sample's extraction, in a file named by its inputs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np

from pipeline.features.recipe import Failure
from pipeline.ground.system_errors import naming
from pipeline.ground.temporaries import remove_left_over, temporary_name

DAY = 86400.0
PARTS = "parts"  # the folder of entries that are being written
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class Entry:
    """The result of one sample's extraction: an array, a failure (kind, message), or both."""

    array: np.ndarray | None
    failure: Failure | None = None


def encode(entry: Entry) -> bytes:
    """Write an entry as bytes that begin with the sha256 of the rest."""
    buffer = io.BytesIO()
    buffer.write(json.dumps(entry.failure).encode() + b"\n")
    if entry.array is not None:
        array = np.ascontiguousarray(entry.array)
        np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    contents = buffer.getvalue()
    return hashlib.sha256(contents).digest() + contents


def decode(data: bytes) -> Entry | None:
    """Read what `encode` wrote; None if a single bit of it is wrong or missing."""
    digest, contents = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(contents).digest() != digest:
        return None
    header, data = contents.split(b"\n", 1)
    failure = json.loads(header)
    array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False) if data else None
    return Entry(array, tuple(failure) if failure else None)


class ItemCache:
    """A folder of entries, safe for several writers without locks.

    An entry is written under a unique temporary name and renamed, so it is complete or absent, and
    two writers of one key write the same bytes. A damaged entry is removed and counted in
    `damaged`, so that it is computed again. A file's time is that of its last use, to the day.
    """

    damaged = 0

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Entry | None:
        """Return the entry of a key, or None if there is none or it is damaged."""
        return self._checked(key, self._read(key))

    def get_many(self, keys: Iterable[str]) -> Iterator[tuple[str, Entry | None]]:
        """Yield each key with its entry, in order; consumes `keys` as it goes."""
        return ((key, self.get(key)) for key in keys)

    def put(self, key: str, entry: Entry) -> None:
        """Store an entry under a key."""
        self._write(key, encode(entry))

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    @contextmanager
    def marker(self) -> Iterator[str]:
        """Store an entry for the block; a process that finds its key has the same cache."""
        key = 2 * uuid4().hex
        self.put(key, Entry(None))
        try:
            yield key
        finally:
            self._drop(key)

    def _checked(self, key: str, data: bytes | None) -> Entry | None:
        if data is None:
            return None
        entry = decode(data)
        if entry is None:
            self._drop(key)
            self.damaged += 1
        return entry

    # What follows is of a folder; `MemoryCache` and `BucketCache` override it.

    def __str__(self) -> str:
        return str(self.folder)

    def clean(self) -> None:
        """Remove the temporary files of killed writers."""
        remove_left_over(self.folder / PARTS)

    def _read(self, key: str) -> bytes | None:
        try:
            with open(self._path(key), "rb") as file:
                data = file.read()
                _touch(file.fileno())
        except FileNotFoundError:
            return None
        return data

    def _write(self, key: str, data: bytes) -> None:
        path = Path(self._path(key))
        path.parent.mkdir(parents=True, exist_ok=True)
        # One folder for all, so that temporary files can be removed without listing every entry.
        temporary = temporary_name(self.folder / PARTS / key)
        temporary.parent.mkdir(exist_ok=True)
        try:
            with naming(path, temporary):
                temporary.write_bytes(data)
                os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def _drop(self, key: str) -> None:
        Path(self._path(key)).unlink(missing_ok=True)

    def _path(self, key: str) -> str:
        return f"{self.folder}/{key[:2]}/{key}"


class MemoryCache(ItemCache):
    """Entries in this process's memory, for posts of which nothing may be stored."""

    def __init__(self) -> None:
        self._entries: dict[str, bytes] = {}

    def __str__(self) -> str:
        return "memory"

    def clean(self) -> None:
        """Do nothing: there are no temporary files."""

    def clear(self) -> None:
        """Forget every entry."""
        self._entries.clear()

    def _read(self, key: str) -> bytes | None:
        return self._entries.get(key)

    def _write(self, key: str, data: bytes) -> None:
        self._entries[key] = data

    def _drop(self, key: str) -> None:
        self._entries.pop(key, None)


def _touch(file: int) -> None:
    if time.time() - os.fstat(file).st_mtime > DAY:
        with suppress(OSError):  # another user's file, or a read-only disk
            os.utime(file)
