"""What a local source holds, as one digest: it changes when, and only when, the source did."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import runtime
from pipeline.datasets.clip_source import address
from pipeline.datasets.manifest import read_manifest
from pipeline.datasets.part import sha256_of
from pipeline.datasets.split_files import HOMES

# Sources that are no path: what they hold is fixed by the code, or by a published digest.
NAMED = ("sample", "official", "vidi")


def fingerprint(source: str) -> dict[str, Any] | None:
    """Digest the files that a source consists of; None where nothing is at that path.

    A folder or archive is CrisisMMD's, a .csv a manifest with its local clips. A file is read
    again only if its size, times or place on the disk changed since it was read last.
    """
    if source in NAMED:
        return {"source": source}
    path = Path(source)
    if not path.exists():
        return None
    seen = _Seen(path)
    total, count = hashlib.sha256(), 0
    for file in _files(path):
        count += 1
        name = os.path.relpath(file, path.parent)
        total.update(f"{name}\0{seen.digest(file)}\n".encode(errors="surrogateescape"))
    seen.save()
    return {"source": source, "sha256": total.hexdigest(), "files": count}


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        for part in ("annotations", "data_image", *HOMES):
            yield from sorted(_below(path / part))
        packed = path / f"{HOMES[0]}.zip"
        yield from [packed] if packed.is_file() else []
    elif path.suffix == ".csv":
        yield path
        # A clip that is not there now may be there next time: that is a change too.
        sources = set(read_manifest(path)["source"])
        yield from sorted(path.parent / s for s in sources if address(s, path.parent) is None)
    else:
        yield path


def _below(folder: Path, above: tuple[str, ...] = ()) -> Iterator[Path]:
    """List the files below a folder as copying does: linked folders too, except into a loop."""
    real = os.path.realpath(folder)
    if not folder.is_dir() or real in above:
        return
    for path in folder.iterdir():
        if path.is_dir():
            yield from _below(path, (*above, real))
        elif path.is_file():
            yield path


class _Seen:
    """The digests of files as they were read last, in the user's cache folder."""

    def __init__(self, source: Path) -> None:
        name = hashlib.sha256(str(source.absolute()).encode(errors="surrogateescape")).hexdigest()
        self._file = runtime.cache_folder() / "sources" / f"{name}.json"
        self._before = self._load()
        self._now: dict[str, list[Any]] = {}

    def digest(self, file: Path) -> str:
        """Digest a file, from memory if it looks the same; "absent" where there is none."""
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
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        temporary.write_text(json.dumps(self._now))
        os.replace(temporary, self._file)

    def _load(self) -> dict[str, list[Any]]:
        try:
            return dict(json.loads(self._file.read_text()))
        except (OSError, ValueError, TypeError):
            return {}
