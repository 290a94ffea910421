"""Digests of large files, which are read again only where they look changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pipeline import runtime
from pipeline.datasets.http.part import sha256_of
from pipeline.ground.temporaries import written_whole


class Seen:
    """The digests of a source's files as they were read last, in the user's cache folder.

    A file is read again if its size, its times or its place on the disk changed.
    """

    def __init__(self, source: Path) -> None:
        name = hashlib.sha256(str(source.absolute()).encode(errors="surrogateescape")).hexdigest()
        self._file = runtime.cache_folder() / "sources" / f"{name}.json"
        self._before = self._load()
        self._now: dict[str, list[Any]] = {}

    def digest(self, file: Path) -> str:
        """Return a file's sha256, from memory if it looks the same; "absent" for no file."""
        if not file.is_file():
            return "absent"
        stat = file.stat()
        look = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        key = str(file)
        known = self._before.get(key)
        found = known[1] if known and known[0] == look else sha256_of(file)
        self._now[key] = [look, found]
        return str(found)

    def save(self) -> None:
        """Remember what was read; a run that is broken off meanwhile leaves the old memory."""
        with written_whole(self._file) as temporary:
            temporary.write_text(json.dumps(self._now))

    def _load(self) -> dict[str, list[Any]]:
        try:
            return dict(json.loads(self._file.read_text()))
        except (OSError, ValueError, TypeError):
            return {}
