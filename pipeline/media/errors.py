"""Failures of a file, and failures of the machine that reads it.

A failure of the file is the item's: a MediaError, counted by its kind. A failure of the machine
(its disk, its memory) ends the run: an OSError or a MemoryError.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

# 89 million: Pillow's own warning threshold, and more than twice 8K; 256 MiB decoded to RGB.
MAX_PIXELS = 1024**3 // 4 // 3

# What FFmpeg raises about contents: all but out-of-memory errors. Its other codes say little: a
# cut file gives EIO, a damaged frame EPERM. Disk errors are therefore caught by `container.Source`.
DAMAGE: tuple[type[Exception], ...] = tuple(
    set(av.FFmpegError.__subclasses__()) - {av.error.MemoryError}
)
# ... and what PyAV and this package raise about contents, where nothing else can.
UNREADABLE: tuple[type[Exception], ...] = (*DAMAGE, ValueError)

# Bytes. No decoder takes more at once: FFmpeg reports the size in a damaged header as no memory.
_MOST_AT_ONCE = 2**31


class MediaError(ValueError):
    """A file that cannot be read; `kind` is one of `ground.failures.MEDIA_KINDS`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[type[MediaError], tuple[str, str]]:
        # Exceptions travel between processes by pickle, which by default forgets `kind`.
        return MediaError, (self.kind, str(self))


def require_file(path: str | Path) -> Path:
    """Return `path` if it is a file, else raise MediaError of kind missing_file."""
    path = Path(path)
    if not path.is_file():
        raise MediaError("missing_file", f"{path}: no such file")
    return path


def reason(error: Exception) -> str:
    """Return FFmpeg's words for what went wrong, without its numbers."""
    return getattr(error, "strerror", None) or str(error)


def disk_error(path: Path, error: OSError) -> OSError:
    """Return the error to raise where this machine cannot read `path`."""
    cause = error.strerror or str(error)
    message = f"{cause} (on this machine; nothing of the item is cached: repair it and run again)"
    return OSError(error.errno, message, str(path))


@contextmanager
def explain_memory(path: Path, by_decoder: bool = False) -> Iterator[None]:
    """Name `path` and the cure in an out-of-memory error of the block.

    Where a decoder reports it (FFmpeg's errors, and all errors with `by_decoder`) while the
    machine has memory left, the file is at fault: a MediaError of kind decode_failed.
    """
    try:
        yield
    except MemoryError as error:
        if (by_decoder or isinstance(error, av.FFmpegError)) and _can_allocate(_MOST_AT_ONCE):
            message = f"{path}: asks for more memory than a decoder may take"
            raise MediaError("decode_failed", message) from error
        message = f"{path}: no memory left to read it; use fewer HGFN_WORKERS and run again"
        raise MemoryError(message) from error


def _can_allocate(size: int) -> bool:
    try:
        mmap.mmap(-1, size).close()  # reserves address space; no page of it is touched
    except OSError:
        return False
    return True
