"""Atomic writes of files and folders, and the removal of temporary files of killed processes."""

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

from pipeline.ground.processes import is_running, start_time
from pipeline.ground.system_errors import naming

_DAY = 86400.0
_NAME = re.compile(
    r"\.(?P<of>.+)\.(?P<host>[^.@]+)@(?P<process>\d+)(-(?P<started>\d+))?\.[0-9a-f]{8}\.part"
)


def temporary_name(path: Path) -> Path:
    """Return a hidden, unique name in the folder of `path`, under which to write it.

    The name contains the host and the process, so that a later run can tell whether the writer
    still runs.
    """
    return path.with_name(f".{path.name}.{_host()}@{_writer(os.getpid())}.{uuid4().hex[:8]}.part")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary name that is renamed to `path` when the block succeeds.

    Readers see the old file or none, never half of the new one. Temporary files of killed runs are
    removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_left_over(path.parent, of=path.name)
    temporary = temporary_name(path)
    with naming(path, temporary):
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder that becomes `path` when the block succeeds.

    Such folders of killed runs are removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_left_over(path.parent, of=path.name)
    temporary, old = temporary_name(path), temporary_name(path)
    try:
        with naming(path, temporary):
            temporary.mkdir()
            yield temporary
        # Moved away before it is removed: an interrupted removal would leave half of it as `path`.
        if path.exists():
            os.replace(path, old)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write_bytes(path: Path, contents: bytes) -> None:
    """Write a file whole (see `written_whole`)."""
    with written_whole(path) as temporary:
        temporary.write_bytes(contents)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole (see `written_whole`)."""
    write_bytes(path, text.encode())


def remove_left_over(folder: Path, of: str | None = None) -> int:
    """Remove temporary files and folders whose writer is gone; return how many.

    With `of`, only those of that file name. A writer on this machine is gone when its process has
    ended. Processes elsewhere cannot be checked: their files are removed once they have not changed
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
    if match["host"] == _host():
        started = match["started"]
        return not is_running(int(match["process"]), int(started) if started else None)
    try:
        return time.time() - path.stat().st_mtime > _DAY
    except FileNotFoundError:
        return False


@cache
def _writer(process: int) -> str:
    started = start_time(process)
    return str(process) if started is None else f"{process}-{started}"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@cache
def _host() -> str:
    # Containers may share a host name and a folder, and each numbers its processes from 1.
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        namespace = ""
    return re.sub(r"[^\w-]", "-", socket.gethostname())[:63] + re.sub(r"\D", "", namespace)
