"""Untrusted HDF5 files: only plain arrays that are stored in the file itself are read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, EIO, EMFILE, ENFILE, ENOENT, EPERM
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.ground.temporaries import written_whole

# Float numbers hardly compress: a larger ratio of declared to stored bytes is a memory bomb.
MAX_RATIO = 100
# Errors that are not caused by the file's contents.
_OF_THE_SYSTEM = (EACCES, EIO, EMFILE, ENFILE, ENOENT, EPERM)
# Bytes. More than HDF5's cache of a dataset's chunks (1 MiB) and of metadata (2 MiB) together.
_TO_CLOSE = 4 << 20


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """Create a file that replaces `path` when the block succeeds; see `allocate`."""
    with written_whole(path) as temporary:
        # h5py writes no times by default.
        with h5py.File(temporary, "w", track_order=False) as file:
            allocate(file, 0)
            yield file
            file.flush()
            end = file.id.get_filesize()
        # What was allocated and not used; HDF5 has cut it off only if it gave space back.
        os.truncate(temporary, min(end, temporary.stat().st_size))


def allocate(file: h5py.File, size: int) -> None:
    """Reserve disk space for `size` more bytes of a file of `new_hdf5`, and for closing it.

    HDF5 ends the process with a segmentation fault if it cannot write while it closes a file, so a
    full disk must raise OSError here, before HDF5 writes.
    """
    if hasattr(os, "posix_fallocate"):  # not on Windows and macOS
        with open(file.filename, "r+b") as same:
            os.posix_fallocate(same.fileno(), file.id.get_filesize(), size + _TO_CLOSE)


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading; see `readable` for its errors."""
    with readable(path), h5py.File(path, "r") as file:
        yield file


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn HDF5's errors into a ValueError that names the file, or the system's OSError."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = getattr(error, "errno", None)
        if number in _OF_THE_SYSTEM:
            raise OSError(number, os.strerror(number), str(path)) from None
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path}: not a readable HDF5 file ({reason}); delete it, then make or fetch it again"
        ) from None


def plain_dataset(file: h5py.File, name: str) -> h5py.Dataset | None:
    """Return the dataset of this name, unread, or None if there is none.

    Raises ValueError naming file and dataset for links to other files, external storage, virtual
    datasets, and one that declares far more bytes than it stores.
    """
    parts = name.split("/")
    item: h5py.Group | h5py.Dataset = file
    for depth, part in enumerate(parts):
        with _damage_reported(file, name):
            link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise _refusal(file, "/".join(parts[: depth + 1]), "is a link to elsewhere")
        with _damage_reported(file, name):
            item = item[part]
    if not isinstance(item, h5py.Dataset):
        return None
    _check_storage(file, name, item)
    return item


def read_floats(file: h5py.File, name: str) -> np.ndarray:
    """Read a dataset as float32; raises ValueError if it is missing or holds anything else."""
    dataset = plain_dataset(file, name)
    if dataset is None:
        raise _refusal(file, name, "is missing")
    if dataset.dtype.kind != "f":
        raise _refusal(file, name, f"holds {dataset.dtype}, not floating-point numbers")
    return np.asarray(dataset[...], np.float32)


def attributes_of(file: h5py.File) -> dict[str, Any]:
    """Return the file's own attributes; raises ValueError naming the file for damaged ones."""
    with _damage_reported(file, "an attribute"):
        return dict(file.attrs)


def _check_storage(file: h5py.File, name: str, dataset: h5py.Dataset) -> None:
    with _damage_reported(file, name):
        elsewhere = dataset.is_virtual or dataset.external
        stored, declared = dataset.id.get_storage_size(), dataset.nbytes
        assert dataset.dtype is not None  # a damaged type raises here
    if elsewhere:
        raise _refusal(file, name, "lies in other files")
    if dataset.shape is None or declared > MAX_RATIO * stored:
        raise _refusal(file, name, f"declares {declared:,} bytes and stores {stored:,}")


@contextmanager
def _damage_reported(file: h5py.File, name: str) -> Iterator[None]:
    """Turn the many exceptions that h5py raises for damaged files into one."""
    try:
        yield
    except (OSError, LookupError, ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise _refusal(file, name, f"cannot be read ({reason})") from None


def _refusal(file: h5py.File, name: str, reason: str) -> ValueError:
    return ValueError(f"{file.filename}: {name} {reason}; make or fetch the file again")
