"""HDF5 files of others, of which only plain numbers stored in the file itself are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    item: h5py.Group | h5py.Dataset = file
    parts = name.split("/")
    for depth, part in enumerate(parts):
        link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise _refused(file, "/".join(parts[: depth + 1]), "is a link to elsewhere")
        item = item[part]
    if not isinstance(item, h5py.Dataset):
        return None
    if item.is_virtual or item.external:
        raise _refused(file, name, "lies in other files")
    stored = item.id.get_storage_size()
    if item.shape is None or item.nbytes > RATIO * stored:
        raise _refused(file, name, f"declares {item.nbytes:,} bytes and stores {stored:,}")
    return item


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
