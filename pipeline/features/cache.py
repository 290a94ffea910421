"""The item cache: what one sample gave, in one file named by what it was computed from."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.features.entry import Entry, decode, encode
from pipeline.ground.temporaries import remove_left_over, temporary_name

DAY = 86400.0
PARTS = "parts"  # the folder of what is being written


class ItemCache:
    """A folder of entries, safe for several writers without locks.

    An entry is written to a temporary name of its own and renamed: it is there whole or not at
    all, and two writers of one key write the same bytes. Each entry begins with the sha256 of its
    contents; a damaged one is dropped and counted in `damaged`, so that it is made again. A file's
    time is that of the entry's last use, to the day.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged = 0

    def get(self, key: str) -> Entry | None:
        """Return the entry of a key, or None if there is none that is whole."""
        return self._entry(key, self._read(key))

    def get_many(self, keys: Iterable[str]) -> Iterator[tuple[str, Entry | None]]:
        """Yield each key with what `get` gives, in order; takes keys as they come."""
        return ((key, self.get(key)) for key in keys)

    def _entry(self, key: str, data: bytes | None) -> Entry | None:
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

    # Where bytes lie is known to these alone; a cache elsewhere overrides them.

    def __str__(self) -> str:
        return str(self.folder)

    @contextmanager
    def marked(self) -> Iterator[str]:
        """Bear a mark meanwhile, by which another machine knows this cache; yields the mark."""
        mark = temporary_name(self.folder / PARTS / "mark")
        mark.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.renew(mark.name)
            yield mark.name
        finally:
            mark.unlink(missing_ok=True)

    def renew(self, mark: str) -> None:
        """Keep a mark from looking left over: another machine's `clean` goes by its age."""
        (self.folder / PARTS / mark).touch()

    def bears(self, mark: str) -> bool:
        """Tell whether this is the cache that bears a mark."""
        return (self.folder / PARTS / mark).exists()

    def clean(self) -> None:
        """Remove what killed writers left behind."""
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
        # In one folder for all: left-overs are found without a walk through every entry.
        temporary = temporary_name(self.folder / PARTS / key)
        temporary.parent.mkdir(exist_ok=True)
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def _drop(self, key: str) -> None:
        Path(self._path(key)).unlink(missing_ok=True)

    def _path(self, key: str) -> str:
        return f"{self.folder}/{key[:2]}/{key}"


def _touch(file: int) -> None:
    if time.time() - os.fstat(file).st_mtime > DAY:
        with suppress(OSError):  # somebody else's, or on a disk that only reads
            os.utime(file)
