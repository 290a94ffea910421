"""Feature files: the arrays of all samples of one modality in one HDF5 file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

FORMAT = 1
_CHUNK_BYTES = 1 << 18


def write_features(
    path: Path,
    arrays: Mapping[str, Callable[[], np.ndarray] | None],
    dim: int,
    attributes: Mapping[str, str | int | float],
) -> None:
    """Write a feature file in one pass, in sorted order of the ids, under a temporary name.

    `arrays` maps each id to a function that loads its [length, dim] float32 array, or None where
    the modality is absent. The same arrays give the same bytes. Each is loaded twice, one at a
    time, so that memory does not grow with their number.
    """
    if not arrays:
        raise ValueError(f"{path}: no sample to write")
    ids = sorted(arrays)
    lengths = np.array([_length(name, arrays[name], dim) for name in ids], np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with h5py.File(temporary, "w", track_order=False) as file:
            _write_table(file, ids, offsets, [arrays[name] is not None for name in ids])
            _write_values(file, [arrays[name] for name in ids], offsets, dim)
            file.attrs.update({**attributes, "format": FORMAT})
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _length(name: str, load: Callable[[], np.ndarray] | None, dim: int) -> int:
    if load is None:
        return 0
    array = load()
    if array.ndim != 2 or array.shape[1] != dim or not len(array):
        raise ValueError(f"features of {name} have shape {array.shape}; expected [length, {dim}]")
    return len(array)


def _write_table(
    file: h5py.File, ids: Sequence[str], offsets: np.ndarray, present: Sequence[bool]
) -> None:
    # Plain HDF5 reads most single flipped bits silently wrong; fletcher32 finds them.
    # Its filters skip text of variable length, so that ids are padded to the longest.
    text = np.array([name.encode() for name in ids])
    text = text.astype(h5py.string_dtype("utf-8", text.dtype.itemsize))
    columns = {"ids": text, "offsets": offsets, "present": np.array(present, bool)}
    for name, values in columns.items():
        file.create_dataset(name, data=values, chunks=values.shape, fletcher32=True)


def _write_values(
    file: h5py.File,
    loads: Sequence[Callable[[], np.ndarray] | None],
    offsets: np.ndarray,
    dim: int,
) -> None:
    rows = max(1, min(int(offsets[-1]), _CHUNK_BYTES // (4 * dim)))
    # A fixed shape of no rows cannot be in chunks, and only chunks have checksums.
    values = file.create_dataset(
        "values",
        (int(offsets[-1]), dim),
        np.float32,
        maxshape=(max(rows, int(offsets[-1])), dim),
        chunks=(rows, dim),
        fletcher32=True,
    )
    for load, start, stop in zip(loads, offsets[:-1], offsets[1:], strict=True):
        if load is not None:
            values[start:stop] = load()


class FeatureFile:
    """A feature file opened for reading.

    `ids` are sorted; `present` [n] tells which samples have the modality; `dim` is the width.
    Raises ValueError for a file that is not in this format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not h5py.is_hdf5(path):
            raise ValueError(f"{path}: not a feature file; extract again")
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise ValueError(f"{path}: not a feature file of format {FORMAT}; extract again")
            self.ids: list[str] = [str(name) for name in file["ids"].asstr()[:]]
            self.offsets: np.ndarray = file["offsets"][:]
            self.present: np.ndarray = file["present"][:]
            self.dim = int(file["values"].shape[1])
            self.attributes = dict(file.attrs)

    def read(self) -> list[np.ndarray]:
        """Load every sample's [length, dim] array, in the order of `ids`; absent ones are empty."""
        with h5py.File(self.path, "r") as file:
            values = file["values"][:]
        return np.split(values, self.offsets[1:-1])
