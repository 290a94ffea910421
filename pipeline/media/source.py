"""The bytes of a medium, read by us: a decoder takes a disk that fails for a file that ends."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from pipeline.media.machine import disk_fault


class Source:
    """A file as a decoder reads it; what fails is kept in `fault`, and the file ends there."""

    def __init__(self, file: FileIO, path: Path) -> None:
        self.name = str(path)  # FFmpeg looks at its suffix
        self.fault: OSError | None = None
        self._file = file

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end, and from the first fault on."""
        try:
            return b"" if self.fault else self._file.read(size)
        except OSError as error:
            self.fault = error
            return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place and return it, or a negative number where there is none."""
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            # A damaged file names places before its beginning.
            if error.errno != errno.EINVAL:
                self.fault = error
            return -errno.EINVAL

    def tell(self) -> int:
        """Return the place that will be read next."""
        return self._file.tell()


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a file for a decoder.

    Raises OSError where the machine could not read it, whatever the decoder made of that.
    """
    try:
        file = FileIO(path)
    except OSError as error:
        raise disk_fault(path, error) from error
    with file:
        source = Source(file, path)
        try:
            yield source
        finally:
            if source.fault:
                raise disk_fault(path, source.fault) from source.fault
