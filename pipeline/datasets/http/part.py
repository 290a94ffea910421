"""A file on its way: `<name>.part`, which becomes `<name>` only when it is whole."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


class Part:
    """The bytes of one version of a file so far.

    Beside them, `<name>.part.version` keeps the server's name for that version (ETag or date), so
    that bytes of two versions are never put together.
    """

    def __init__(self, path: Path) -> None:
        self.whole = path
        self.path = path.with_name(f"{path.name}.part")
        self._version = path.with_name(f"{path.name}.part.version")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def version(self) -> str:
        """The server's name for the version that these bytes are of; empty for none."""
        return self._version.read_text() if self._version.is_file() else ""

    def begin(self, version: str) -> None:
        """Start anew, with a version of which there is no byte yet."""
        self.discard()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._version.write_text(version)
        self.path.touch()

    def append(self, chunk: bytes) -> None:
        """Add bytes."""
        with self.path.open("ab") as file:
            file.write(chunk)

    def discard(self) -> None:
        """Remove what there is."""
        self.path.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the whole file its name."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(self.path, self.whole)
        self._version.unlink(missing_ok=True)


def version_of(tag: str, date: str) -> str:
    """Choose the server's name for a version from its ETag and Last-Modified, empty for none."""
    # A weak tag names equivalent versions, of which the bytes may differ.
    return tag if tag and not tag.startswith("W/") else date


def sha256_of(path: Path) -> str:
    """Digest a file's bytes, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
