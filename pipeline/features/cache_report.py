"""What lies in the item cache's folder, and the removal of what was not used for long."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline import runtime
from pipeline.features.cache import DAY, PARTS
from pipeline.ground.temporaries import remove_left_over

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@dataclass(frozen=True, order=True)
class CachedFile:
    """One entry: when it was last used (seconds since 1970, to the day) and its size in bytes."""

    used: float
    path: Path
    size: int


def show_or_prune(older_than: str | None, max_size: str | None) -> Iterator[str]:
    """Prune the item cache as asked for, then tell what lies in it; yields lines.

    `older_than` is in days, `max_size` as in 2GB. Raises ValueError for other values.
    """
    if url := runtime.cache_url():
        raise ValueError(
            f"HGFN_CACHE is {url}: look at it and prune it with that store's own tools"
        )
    folder = runtime.cache_folder()
    if older_than is not None or max_size is not None:
        days = None if older_than is None else parse_days(older_than)
        size = None if max_size is None else parse_size(max_size)
        yield f"removed {counted(prune(folder, days, size))}"
    yield from report(folder)


def cached_files(folder: Path) -> list[CachedFile]:
    """List the entries, the one not used for longest first."""
    # Other tools keep objects in folders of two digits too: only what bears a key's name is ours.
    entries = folder.glob("[0-9a-f][0-9a-f]/*")
    return sorted(_files(path for path in entries if _is_entry(path)))


def _is_entry(path: Path) -> bool:
    return bool(re.fullmatch(r"[0-9a-f]{64}", path.name)) and path.name.startswith(path.parent.name)


def report(folder: Path) -> Iterator[str]:
    """Tell in lines what lies in the folder."""
    files = cached_files(folder)
    yield f"{folder}: {counted(files)}"
    if files:
        first, last = (date.fromtimestamp(file.used) for file in (files[0], files[-1]))
        yield f"last used between {first} and {last}"
    for other in sorted(path for path in folder.glob("*") if path.is_dir()):
        if not re.fullmatch(f"[0-9a-f]{{2}}|{PARTS}", other.name):
            held = counted(list(_files(other.rglob("*"))), "file")
            yield f"{other.name}: {held}; never pruned"


def prune(
    folder: Path, older_than: float | None = None, max_bytes: int | None = None
) -> list[CachedFile]:
    """Remove entries not used for `older_than` days, then the least recently used above a size.

    What killed writers left is removed too. Returns the entries that were removed.
    """
    remove_left_over(folder / PARTS)
    removed, held = [], cached_files(folder)
    total, now = sum(file.size for file in held), time.time()
    for file in held:
        old = older_than is not None and now - file.used > older_than * DAY
        if not old and (max_bytes is None or total <= max_bytes):
            break
        file.path.unlink(missing_ok=True)
        removed.append(file)
        total -= file.size
    return removed


def counted(files: Sequence[CachedFile], what: str = "entry") -> str:
    """Say how many there are and how large: `3 entries, 1.2 MB`."""
    plural = {"entry": "entries", "file": "files"}[what]
    count = f"{len(files):,} {what if len(files) == 1 else plural}"
    return f"{count}, {_written_size(sum(file.size for file in files))}"


def parse_days(text: str) -> float:
    """Read a number of days, at least 0; ValueError for anything else."""
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise ValueError(f"--prune-older-than is {text!r}; allowed: a number of days, as in 30")
    return float(text)


def parse_size(text: str) -> int:
    """Read a size in bytes, or in decimal units: `500MB`, `2GB`; ValueError for anything else."""
    match = re.fullmatch(rf"(\d+(?:\.\d+)?)\s*({'|'.join(_UNITS)})?", text.upper())
    if not match:
        raise ValueError(f"--max-size is {text!r}; allowed: a size, as in 500MB, 2GB, 1.5TB")
    return int(float(match[1]) * _UNITS[match[2] or "B"])


def _written_size(size: int) -> str:
    unit = [unit for unit in _UNITS if size >= _UNITS[unit] or unit == "B"][-1]
    return f"{size / _UNITS[unit]:.{0 if unit == 'B' else 1}f} {unit}"


def _files(paths: Iterator[Path]) -> Iterator[CachedFile]:
    for path in paths:
        try:
            status = path.stat()
        except FileNotFoundError:  # another process may prune too
            continue
        if path.is_file():
            yield CachedFile(status.st_mtime, path, status.st_size)
