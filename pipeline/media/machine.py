"""Telling a fault of this machine, which ends a run, from one of the file, which is the item's."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from pipeline.media.errors import MediaError

# What FFmpeg raises about contents: all but its want of memory. Its other codes do not tell either:
# a file that is cut gives EIO, and a damaged frame EPERM. Files are therefore read by `Source`.
DAMAGE: tuple[type[Exception], ...] = tuple(
    set(av.FFmpegError.__subclasses__()) - {av.error.MemoryError}
)
# ... and what PyAV and we say of them, where nothing else could.
UNREADABLE: tuple[type[Exception], ...] = (*DAMAGE, ValueError)

# No decoder asks for more at once: FFmpeg says that memory ran out where a damaged header would.
_MOST = 2**31


def disk_fault(path: Path, error: OSError) -> OSError:
    """Make the error to raise where `path` cannot be read, and say what to do."""
    told = f"{error.strerror or error} (of this machine; nothing is kept: mend it and run again)"
    return OSError(error.errno, told, str(path))


@contextmanager
def memory_told(path: Path, by_decoder: bool = False) -> Iterator[None]:
    """Turn a want of memory into the error of `out_of_memory`.

    FFmpeg's errors tell that they are a decoder's; `by_decoder` where nearly all here is one's.
    """
    try:
        yield
    except MemoryError as error:
        by_decoder = by_decoder or isinstance(error, av.FFmpegError)
        raise out_of_memory(path, by_decoder) from error


def out_of_memory(path: Path, by_decoder: bool) -> MemoryError | MediaError:
    """Make the error to raise where memory did not suffice for `path`.

    MediaError of kind decode_failed where only a decoder says so, and the machine has more to give
    than any asks for.
    """
    if by_decoder and _machine_gives(_MOST):
        return MediaError("decode_failed", f"{path}: asks for more memory than a decoder may take")
    return MemoryError(f"{path}: no memory left to read it; use fewer HGFN_WORKERS and run again")


def _machine_gives(size: int) -> bool:
    try:
        mmap.mmap(-1, size).close()  # only promised: no page of it is touched
    except OSError:
        return False
    return True
