"""Names of what is still being written, and the removal of what a killed process left behind."""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

from pipeline.ground.processes import began, is_running

_DAY = 86400.0
_NAME = re.compile(
    r"\.(?P<of>.+)\.(?P<where>[^.@]+)@(?P<process>\d+)(-(?P<began>\d+))?\.[0-9a-f]{8}\.part"
)


def temporary_name(path: Path) -> Path:
    """Return a hidden name beside `path`, of this process alone, under which to write it.

    The name says which process writes, so that another one can tell when it is left over.
    """
    return path.with_name(f".{path.name}.{_where()}@{_writer(os.getpid())}.{uuid4().hex[:8]}.part")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name for `path`, which it becomes when the block ends well.

    Who reads `path` meanwhile finds the old file or none, never a part of the new one. What
    killed runs left of it is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_left_over(path.parent, of=path.name)
    temporary = temporary_name(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_left_over(folder: Path, of: str | None = None) -> int:
    """Remove files and folders whose writer is gone; returns how many (only those of name `of`).

    A writer is gone when its process on this machine ended, even if another one has its number
    now. Of one elsewhere nothing can be known: what it wrote is removed when it did not change
    for a day.
    """
    removed = 0
    for path in folder.glob(".*.part"):
        match = _NAME.fullmatch(path.name)
        if match and of in (None, match["of"]) and _writer_is_gone(path, match):
            _remove(path)
            removed += 1
    return removed


def _writer_is_gone(path: Path, match: re.Match[str]) -> bool:
    if match["where"] == _where():
        since = match["began"]
        return not is_running(int(match["process"]), int(since) if since else None)
    try:
        return time.time() - path.stat().st_mtime > _DAY
    except FileNotFoundError:
        return False


@cache
def _writer(process: int) -> str:
    when = began(process)
    return str(process) if when is None else f"{process}-{when}"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@cache
def _where() -> str:
    # Containers may share a host's name and a folder, and count their processes each from 1.
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:  # no Linux
        space = ""
    return re.sub(r"[^\w-]", "-", socket.gethostname())[:63] + re.sub(r"\D", "", space)
