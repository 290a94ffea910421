"""Untrusted archives: a .tar.gz unpacked into a new folder, members of a .zip read by name."""

from __future__ import annotations

import gzip
import lzma
import os
import posixpath
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from errno import ENAMETOOLONG
from pathlib import Path, PurePosixPath
from typing import IO, cast

from pipeline.ground.temporaries import temporary_name

MEMBERS = 200_000
SIZE = 32 << 30  # bytes, unpacked
CHUNK = 1 << 20
HOPS = 40  # of a link to a link, as Linux allows
_DAMAGE = (
    *(tarfile.TarError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    # Headers without an end, names that clash, unknown or encrypted members.
    *(EOFError, RecursionError, FileExistsError, NotADirectoryError, IsADirectoryError),
    *(RuntimeError, ValueError, LookupError, struct.error),
)


def unpack(
    archive: Path, folder: Path, *, members: int = MEMBERS, size: int = SIZE
) -> dict[str, str]:
    """Unpack the files and folders of a .tar.gz into the new `folder`, or raise ValueError.

    A link becomes the file of the archive that it leads to. Returns by path the members that are
    left out, with the reason: other links, pipes, devices, and names that are too long for the
    disk. `members` and `size` (bytes, unpacked) are upper limits. Paths that lead outside and
    damaged archives are refused; then `folder` does not exist.
    """
    temporary = temporary_name(folder)
    temporary.mkdir(parents=True)
    try:
        with gzip.open(archive) as stream:
            left_out = _unpack(_Bounded(stream, size), temporary, members)
        os.replace(temporary, folder)
        return left_out
    except _DAMAGE as error:
        raise _damaged(archive, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack(stream: _Bounded, folder: Path, members: int) -> dict[str, str]:
    left_out, links = dict[str, str](), dict[str, str]()
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as tar:
        for count, member in enumerate(tar, start=1):
            if count > members:
                raise ValueError(f"holds more than {members:,} members")
            name = posixpath.normpath(member.name.lstrip("/"))
            if _is_too_long(folder / name):
                left_out[name] = "has a name that is too long for the disk"
            elif member.issym():
                target = posixpath.join(posixpath.dirname(name), member.linkname)
                links[name] = posixpath.normpath(target)
            elif member.islnk():
                links[name] = posixpath.normpath(member.linkname)
            elif member.issparse():  # may claim terabytes
                raise ValueError(f"member {member.name!r} is a sparse file")
            elif member.isdir() or member.isreg():
                tar.extract(member, folder, filter="data")
            else:
                left_out[name] = "is neither a file nor a folder"
    # gzip checks its checksum at the end, after the last member.
    while stream.read(CHUNK):
        pass
    return left_out | _replace_links(links, folder)


def _replace_links(links: dict[str, str], folder: Path) -> dict[str, str]:
    """Put the file that each link leads to in its place; returns why others are left out.

    No symbolic link is ever made on the disk: names alone say where a path leads.
    """
    left_out = dict[str, str]()
    for name, target in links.items():
        for _ in range(HOPS):
            target = links.get(target, target)
        if _is_inside(name) and _is_inside(target) and os.path.isfile(folder / target):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(folder / target, folder / name)
        else:
            left_out[name] = f"is a link to {target!r}, which is not a file of the archive"
    return left_out


def _is_too_long(path: Path) -> bool:
    try:
        path.lstat()
    except OSError as error:
        return error.errno == ENAMETOOLONG
    return False


def _is_inside(path: str) -> bool:
    return not path.startswith(("/", "../"))


class _Bounded:
    """An unpacked stream that raises ValueError after `size` bytes."""

    def __init__(self, stream: gzip.GzipFile, size: int) -> None:
        self._stream = stream
        self._size = self._left = size

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"unpacks to more than {self._size:,} bytes")
        return data


def read_members(
    archive: Path, accept: Callable[[str], bool], *, limit: int
) -> Iterator[tuple[str, bytes]]:
    """Yield file name and content of each member of a .zip whose file name is accepted.

    Of a member's path only the last part is used. `limit` is the largest content, in bytes.
    Raises ValueError for a larger one and for a damaged archive.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            for info in file.infolist():
                name = PurePosixPath(info.filename).name
                if not info.is_dir() and accept(name):
                    with file.open(info) as stream:
                        content = stream.read(limit + 1)
                    if len(content) > limit:
                        raise ValueError(f"{name} unpacks to more than {limit:,} bytes")
                    yield name, content
    except (*_DAMAGE, OSError) as error:  # OSError: damaged bzip2 data
        raise _damaged(archive, error) from None


def _damaged(archive: Path, error: BaseException) -> ValueError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return ValueError(f"{archive}: {reason}; delete it and fetch it again")
