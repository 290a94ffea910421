"""A .tar.gz unpacked into a folder of its own, or not at all."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from pipeline.datasets.gzip_stream import BoundedGzip

CURE = "fetch it again"
_DAMAGE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError)


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold: members, unpacked bytes, and how many times its own size."""

    members: int = 200_000
    total: int = 32 << 30
    ratio: int = 100


def is_archive(path: Path) -> bool:
    """Tell from its first block whether a file is a .tar.gz; the rest may still be damaged."""
    try:
        with gzip.open(path) as stream:
            tarfile.TarInfo.frombuf(stream.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
    except _DAMAGE:
        return False
    return True


def unpack(archive: Path, folder: Path, limits: Limits | None = None) -> None:
    """Unpack `archive` into the new folder `folder`; only plain files and folders are taken.

    Raises ValueError that names the archive, the member and what is wrong with it, and for a
    damaged archive; then `folder` is not there.
    """
    folder.mkdir()
    try:
        _unpack(archive, folder, limits or Limits())
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, RecursionError):  # extended headers that announce each other
            raise ValueError(f"{archive}: holds a chain of headers; {CURE}") from None
        if isinstance(error, _DAMAGE):
            told = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"{archive}: {told}; {CURE}") from None
        raise


def _unpack(archive: Path, folder: Path, limits: Limits) -> None:
    with closing(BoundedGzip(archive, limits.total, limits.ratio)) as stream:
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:") as tar:
            count = 0
            while (member := tar.next()) is not None:
                # Else tar keeps them all, for a list that nobody asks for.
                tar.members.clear()  # type: ignore[attr-defined]
                count += 1
                if count > limits.members:
                    raise ValueError(f"holds more than {limits.members:,} members")
                _check(member, folder)
                tar.extract(member, folder, filter="data")
        stream.finish()


def _check(member: tarfile.TarInfo, folder: Path) -> None:
    name = member.name
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or "\\" in name:
        raise ValueError(f"member {name!r} leads outside")
    if member.issym() or member.islnk():
        raise ValueError(f"member {name!r} is a link to {member.linkname!r}")
    if not member.isdir() and (not member.isreg() or member.issparse()):
        raise ValueError(f"member {name!r} is neither a file nor a folder")
    target = folder / name
    # Whatever the name looks like: the place it stands for must lie in the folder.
    if not target.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"member {name!r} leads outside")
    if target.exists() and not (member.isdir() and target.is_dir()):
        raise ValueError(f"member {name!r} stands there twice")
    if any(parent.is_file() for parent in target.parents):
        raise ValueError(f"member {name!r} lies in a file")
