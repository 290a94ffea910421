"""Errors of the system (full disks, permissions, limits) in one line: file, cause, cure."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FREE = "free some space on its disk and run again"
_CURES = {
    errno.ENOSPC: _FREE,
    errno.EDQUOT: f"your quota is used up: {_FREE}",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
    errno.EROFS: "mount its disk writable, or work on another one",
    errno.ENAMETOOLONG: "shorten it: most disks allow 255 bytes a name and 4,096 a path",
    errno.ENOENT: "restore it, or make it again with `dvc repro`",
    errno.ELOOP: "correct its symbolic links",
    errno.ENOMEM: "use fewer HGFN_WORKERS",
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM),
        "correct the permissions of the file and of the folders above it",
    ),
    **dict.fromkeys(
        (errno.EMFILE, errno.ENFILE),
        "raise the limit of open files (ulimit -n), or use fewer HGFN_WORKERS",
    ),
    **dict.fromkeys(
        (errno.EEXIST, errno.EISDIR, errno.ENOTDIR),
        "a file is where a folder belongs, or a folder where a file does: move it away",
    ),
    **dict.fromkeys((errno.EIO, errno.ESTALE), "check its disk and the connection to it"),
}
# Writing to an open file raises these, and names no file.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def explain(error: BaseException) -> str:
    """Return an error as one line; of the system's errors it names file, cause and cure."""
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.errno in _CURES:
        cause = os.strerror(error.errno)
        # A library's own wording repeats the cause at length; ours begins with it.
        if (error.strerror or "").startswith(cause):
            cause = str(error.strerror)
        # The last of two names is that of the file that was written.
        path = error.filename2 or error.filename
        message = "" if path is None else f"{path}: "
        message += f"{cause}; {_CURES[error.errno]}"
    return ", ".join([message, *getattr(error, "__notes__", ())])


@contextmanager
def naming(path: Path, temporary: Path) -> Iterator[None]:
    """Make an OSError of the block name `path` for a file at `temporary`, or a full disk's."""
    try:
        yield
    except OSError as error:
        # Some libraries put a file's number in the place of its name.
        names = [n for n in (error.filename, error.filename2) if isinstance(n, str | bytes)]
        inside = any(Path(os.fsdecode(name)).is_relative_to(temporary) for name in names)
        if inside or (not names and error.errno in _NO_ROOM):
            error.filename, error.filename2 = str(path), None
        raise


def require_space(path: Path, size: int) -> None:
    """Raise OSError if the disk of `path` has less than `size` bytes free."""
    free = shutil.disk_usage(path.parent).free
    if free < size:
        need = f"{os.strerror(errno.ENOSPC)} (needs {size:,} bytes, {free:,} are free)"
        raise OSError(errno.ENOSPC, need, str(path))
