"""One clip's fault stays with that clip."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from yt_dlp.utils import YoutubeDLError

from pipeline.datasets.clips.error import LONGEST, ClipError, clip_error

# Of a disk, or of too many open files: the next clip would meet them too.
OWN_FAULTS = (
    errno.EACCES,
    errno.EDQUOT,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOSPC,
    errno.EROFS,
)


@contextmanager
def one_clip(url: str) -> Iterator[None]:
    """Turn whatever is raised into ClipError, but for faults of this machine."""
    try:
        yield
    except (ClipError, MemoryError):
        raise
    except YoutubeDLError as error:
        raise clip_error(url, error) from None
    except Exception as error:  # an extractor that a site's change has broken, or a library
        if _own(error):
            raise
        told = f"{type(error).__name__}: {' '.join(str(error).split())}"[:LONGEST]
        raise ClipError("download_failed", f"{url}: {told}") from None


def _own(error: Exception) -> bool:
    # An error of encryption has numbers of its own in `errno`.
    system = isinstance(error, OSError) and not isinstance(error, ssl.SSLError)
    return system and getattr(error, "errno", None) in OWN_FAULTS
