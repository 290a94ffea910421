"""A .gz file read within bounds: what a few bytes unpack to is not believed in advance."""

from __future__ import annotations

import gzip
from pathlib import Path

# tar's extended headers are read in one piece; a file's contents never are.
LARGEST_READ = 1 << 20
# The ratio means nothing for an archive of a few small texts.
FREE = 10 << 20


class BoundedGzip:
    """The unpacked bytes of a .gz file, as far as `total` and `ratio` allow.

    `total` bounds the unpacked bytes, `ratio` how many times the packed ones they may be. Reading
    past a bound raises ValueError that tells it.
    """

    def __init__(self, path: Path, total: int, ratio: int) -> None:
        self._stream = gzip.open(path)  # noqa: SIM115 - closed by close
        packed = path.stat().st_size
        self._most = min(total, FREE + ratio * packed)
        self._told = (
            f"unpacks to more than {total:,} bytes"
            if total <= self._most
            else f"unpacks to more than {ratio} times its {packed:,} bytes"
        )

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes."""
        if size > LARGEST_READ:
            raise ValueError(f"holds a header of {size:,} bytes")
        self._check(self._stream.tell() + size)
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        """Go to a position."""
        self._check(position)
        return self._stream.seek(position)

    def tell(self) -> int:
        """Return the position."""
        return self._stream.tell()

    def finish(self) -> None:
        """Read to the end, behind which gzip's checksum stands."""
        while self.read(LARGEST_READ):
            pass

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _check(self, position: int) -> None:
        # A read at the end may ask for a buffer more than there is.
        if position > self._most + LARGEST_READ:
            raise ValueError(self._told)
