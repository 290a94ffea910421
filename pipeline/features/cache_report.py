"""`hgfn cache`: the size of the item cache, and the removal of old entries."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from math import inf
from pathlib import Path
from typing import NamedTuple

from pipeline import runtime
from pipeline.features.cache import DAY, PARTS
from pipeline.ground.temporaries import remove_left_over


class CachedFile(NamedTuple):
    """A file of the cache: time of its last use (seconds since 1970) and size in bytes."""

    used: float
    path: Path
    size: int


def show_or_prune(older_than: float | None, max_size: str | None) -> Iterator[str]:
    """Prune the item cache where a limit is given, then describe it; yields lines.

    `older_than` is in days, `max_size` as in 2GB; raises ValueError for another size.
    """
    if url := runtime.cache_url():
        raise ValueError(f"HGFN_CACHE is {url}: show and prune it with that store's own tools")
    folder = runtime.cache_folder()
    if older_than is not None or max_size is not None:
        days = inf if older_than is None else older_than
        size = inf if max_size is None else runtime.parse_size("--max-size", max_size)
        removed = prune(folder, days, size)
        yield f"removed {_count(removed, 'entry', 'entries')}"
    files = cached_files(folder)
    yield f"{folder}: {_count(files, 'entry', 'entries')}"
    if files:
        first, last = (date.fromtimestamp(file.used) for file in (files[0], files[-1]))
        yield f"last used between {first} and {last}"
    for other in sorted(path for path in folder.glob("*") if path.is_dir()):
        if not re.fullmatch(f"[0-9a-f]{{2}}|{PARTS}|{runtime.CHECKPOINTS}", other.name):
            yield f"{other.name}: {_count(_files(other.rglob('*')), 'file', 'files')}; never pruned"


def prune(folder: Path, older_than: float = inf, max_bytes: float = inf) -> list[CachedFile]:
    """Remove entries not used for `older_than` days, then the least recently used above a size.

    Also removes temporary files of killed writers. Returns the removed entries.
    """
    for name in (PARTS, runtime.CHECKPOINTS):
        remove_left_over(folder / name)
    removed, files = [], cached_files(folder)
    total, now = sum(file.size for file in files), time.time()
    for file in files:
        if now - file.used > older_than * DAY or total > max_bytes:
            file.path.unlink(missing_ok=True)
            removed.append(file)
            total -= file.size
    return removed


def cached_files(folder: Path) -> list[CachedFile]:
    """List the entries and the trainings' checkpoints, the least recently used first."""
    # Other tools have folders of two digits too: only files named by a key are entries.
    paths = folder.glob("[0-9a-f][0-9a-f]/*")
    entries = (p for p in paths if re.fullmatch(rf"{p.parent.name}[0-9a-f]{{62}}", p.name))
    return _files([*entries, *(folder / runtime.CHECKPOINTS).glob("*.pt")])


def _files(paths: Iterable[Path]) -> list[CachedFile]:
    files = []
    for path in paths:
        try:
            status = path.stat()
        except FileNotFoundError:  # another process may prune too
            continue
        if path.is_file():
            files.append(CachedFile(status.st_mtime, path, status.st_size))
    return sorted(files)


def _count(files: Sequence[CachedFile], one: str, many: str) -> str:
    size = sum(file.size for file in files)
    noun = one if len(files) == 1 else many
    return f"{len(files):,} {noun}, {runtime.size_text(size)}"
