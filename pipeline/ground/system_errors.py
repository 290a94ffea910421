"""Errors of the system (full disks, permissions, limits) in one line: file, cause, cure."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, EDQUOT, EFBIG, EMFILE, ENAMETOOLONG, ENFILE, ENOSPC, EPERM, EROFS
from pathlib import Path

_FREE = "free some space on its disk and run again"
_OPEN = "raise the limit of open files (ulimit -n), or use fewer HGFN_WORKERS"
_PERMISSIONS = "correct the permissions of the file and of the folders above it"
_CURES = {
    ENOSPC: _FREE,
    EDQUOT: f"your quota is used up: {_FREE}",
    EFBIG: "raise the limit of file sizes (ulimit -f)",
    EROFS: "mount its disk writable, or work on another one",
    EACCES: _PERMISSIONS,
    EPERM: _PERMISSIONS,
    EMFILE: _OPEN,
    ENFILE: _OPEN,
    ENAMETOOLONG: "shorten it: most disks allow 255 bytes a name and 4,096 a path",
}


def explain(error: BaseException) -> str:
    """Return an error as one line; of the system's errors it names file, cause and cure."""
    message = str(error)
    if isinstance(error, OSError):
        message = _explain_os_error(error)
    return ", ".join([message, *getattr(error, "__notes__", ())])


def _explain_os_error(error: OSError) -> str:
    if error.errno not in _CURES:
        return str(error)
    cause = os.strerror(error.errno)
    # A library's own wording repeats the cause at length; ours begins with it.
    if (error.strerror or "").startswith(cause):
        cause = str(error.strerror)
    # The last of two names is that of the file that was written.
    path = error.filename2 or error.filename
    place = f"{path}: " if path is not None else ""
    return f"{place}{cause}; {_CURES[error.errno]}"


@contextmanager
def naming(path: Path, temporary: Path) -> Iterator[None]:
    """Make an OSError of the block name `path` if it names no file, or one at `temporary`."""
    try:
        yield
    except OSError as error:
        names = [Path(os.fsdecode(n)) for n in (error.filename, error.filename2) if _is_path(n)]
        # Without a number it is not the system's: libraries derive errors of their own.
        if error.errno and (not names or any(name.is_relative_to(temporary) for name in names)):
            error.filename, error.filename2 = str(path), None
        raise


def _is_path(name: object) -> bool:
    return isinstance(name, str | bytes)


def require_space(path: Path, size: int) -> None:
    """Raise OSError if the disk of `path` has less than `size` bytes free."""
    free = shutil.disk_usage(path.parent).free
    if free < size:
        need = f"{os.strerror(ENOSPC)} (needs {size:,} bytes, {free:,} are free)"
        raise OSError(ENOSPC, need, str(path))
