"""HDF5 files of others, of which only plain numbers stored in the file itself are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

# Compression makes float numbers little smaller: what grows more was made to fill the memory.
RATIO = 100


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file to read with `read_plain`; raises ValueError naming it if it cannot be read."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError) as error:
        told = " ".join(str(error).split())
        raise ValueError(
            f"{path}: not a readable HDF5 file ({told}); make or fetch it again"
        ) from None


def plain(file: h5py.File, name: str) -> h5py.Dataset | None:
    """Return the array of this name, unread, or None where there is none.

    HDF5 may lead to other files by links, by external storage and by virtual arrays, and declare
    far more than is stored. Raises ValueError naming file and array for each of them.
    """
    parts = name.split("/")
    item: h5py.Group | h5py.Dataset = file
    for depth, part in enumerate(parts):
        with _damage_told(file, name):
            link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise _refused(file, "/".join(parts[: depth + 1]), "is a link to elsewhere")
        with _damage_told(file, name):
            item = item[part]
    return _stored_here(file, name, item) if isinstance(item, h5py.Dataset) else None


def _stored_here(file: h5py.File, name: str, dataset: h5py.Dataset) -> h5py.Dataset:
    with _damage_told(file, name):
        elsewhere = dataset.is_virtual or dataset.external
        stored, declared = dataset.id.get_storage_size(), dataset.nbytes
        assert dataset.dtype is not None  # read now, where damage is told
    if elsewhere:
        raise _refused(file, name, "lies in other files")
    if dataset.shape is None or declared > RATIO * stored:
        raise _refused(file, name, f"declares {declared:,} bytes and stores {stored:,}")
    return dataset


def attributes_of(file: h5py.File) -> dict[str, Any]:
    """Return the file's own attributes; raises ValueError naming the file for damaged ones."""
    with _damage_told(file, "an attribute"):
        return dict(file.attrs)


@contextmanager
def _damage_told(file: h5py.File, name: str) -> Iterator[None]:
    """Turn whatever h5py stumbles over in a damaged file into one line."""
    try:
        yield
    except (OSError, LookupError, ValueError, TypeError, RuntimeError) as error:
        told = " ".join(str(error).split())
        raise _refused(file, name, f"cannot be read ({told})") from None


def read_numbers(file: h5py.File, name: str, dtype: type[np.generic]) -> np.ndarray | None:
    """Read an array of floating-point numbers, or None where there is none of this name."""
    dataset = plain(file, name)
    if dataset is None:
        return None
    if dataset.dtype.kind != "f":
        raise _refused(file, name, f"holds {dataset.dtype}, no floating-point numbers")
    return np.asarray(dataset[...], dtype)


def _refused(file: h5py.File, name: str, what: str) -> ValueError:
    return ValueError(f"{file.filename}: {name} {what}; make or fetch the file again")
