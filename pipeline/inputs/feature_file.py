"""Feature files: the arrays of all samples of one modality in one HDF5 file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from pipeline.inputs.hdf5 import (
    allocate,
    attributes_of,
    new_hdf5,
    open_hdf5,
    plain_dataset,
    readable,
)

FORMAT = 1
_CHUNK_BYTES = 1 << 18


def write_features(
    path: Path,
    arrays: Iterable[tuple[str, np.ndarray | None]],
    dim: int,
    attributes: Mapping[str, str | int | float],
) -> None:
    """Write a feature file in one pass, under a temporary name.

    `arrays` yields the ids in ascending order, each with its [length, dim] float32 array, or None
    where the modality is absent. One array is held at a time, so that memory does not grow with
    their number. The same arrays give the same bytes. Raises ValueError for no id at all, an id
    out of order, and an array of another shape.
    """
    with new_hdf5(path) as file:
        lengths = _write_values(file, arrays, dim)
        if not lengths:
            raise ValueError(f"{path}: no sample to write")
        offsets = np.cumsum([0, *(length or 0 for length in lengths.values())], dtype=np.int64)
        present = [length is not None for length in lengths.values()]
        _write_table(file, list(lengths), offsets, present)
        file.attrs.update({**attributes, "format": FORMAT})


def _write_values(
    file: h5py.File, arrays: Iterable[tuple[str, np.ndarray | None]], dim: int
) -> dict[str, int | None]:
    """Write all rows in whole chunks, since many small writes are slow; returns the lengths."""
    chunk = max(1, _CHUNK_BYTES // (4 * dim))
    rows, lengths = np.empty((0, dim), np.float32), dict[str, int | None]()
    for name, array in arrays:
        if lengths and name <= (last := next(reversed(lengths))):
            raise ValueError(f"the id {name} comes after {last}; ids must ascend")
        lengths[name] = None if array is None else len(_checked(name, array, dim))
        if array is None:
            continue
        rows = np.concatenate([rows, array])
        if whole := len(rows) // chunk * chunk:
            _append(file, rows[:whole], chunk)
            rows = rows[whole:]
    _append(file, rows, chunk)
    return lengths


def _checked(name: str, array: np.ndarray, dim: int) -> np.ndarray:
    if array.ndim != 2 or array.shape[1] != dim or not len(array):
        raise ValueError(f"features of {name} have shape {array.shape}; expected [length, {dim}]")
    return array


def _append(file: h5py.File, rows: np.ndarray, chunk: int) -> None:
    dim = rows.shape[1]
    if "values" not in file:
        # Only chunked datasets have checksums, and only growing ones may be empty.
        chunks, growing = (max(1, min(len(rows), chunk)), dim), (None, dim)
        file.create_dataset(
            "values", (0, dim), np.float32, chunks=chunks, maxshape=growing, fletcher32=True
        )
    values = file["values"]
    start = len(values)
    allocate(file, rows.nbytes)
    values.resize(start + len(rows), axis=0)
    values[start:] = rows


def _write_table(
    file: h5py.File, ids: Sequence[str], offsets: np.ndarray, present: Sequence[bool]
) -> None:
    # Plain HDF5 reads most flipped bits without an error; fletcher32 detects them. HDF5's filters
    # skip text of variable length, so ids are padded to the longest.
    text = np.array([name.encode() for name in ids])
    text = text.astype(h5py.string_dtype("utf-8", text.dtype.itemsize))
    allocate(file, text.nbytes + offsets.nbytes + len(present))
    columns = {"ids": text, "offsets": offsets, "present": np.array(present, bool)}
    for name, values in columns.items():
        file.create_dataset(name, data=values, chunks=values.shape, fletcher32=True)


class FeatureFile:
    """A feature file opened for reading.

    `ids` are sorted; `present` [n] is true for samples that have the modality; `dim` is the width
    of a vector. Raises ValueError for a file that is not in this format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_hdf5(path) as file:
            self.attributes = attributes_of(file)
            if self.attributes.get("format") != FORMAT:
                raise ValueError(f"{path}: not a feature file of format {FORMAT}; extract again")
            names = _column(file, "ids", "S")[:].tolist()
            self.ids: list[str] = [name.decode(errors="backslashreplace") for name in names]
            self.offsets: np.ndarray = _column(file, "offsets", "i")[:]
            self.present: np.ndarray = _column(file, "present", "b")[:]
            shape = _column(file, "values", "f", dimensions=2).shape
        if not self._consistent(rows=shape[0]):
            raise ValueError(f"{path}: its table does not fit its values; extract again")
        self.dim = int(shape[1])

    @property
    def source(self) -> dict[str, str]:
        """What made the features: encoder, weights_origin, and the weights' sha256 as `weights`.

        Missing keys are left out.
        """
        keys = "encoder", "weights_origin", "weights"
        return {key: str(self.attributes[key]) for key in keys if key in self.attributes}

    def _consistent(self, rows: int) -> bool:
        n = len(self.ids)
        lengths = np.diff(self.offsets)
        ends = [*self.offsets[:1], *self.offsets[-1:]] == [0, rows]
        return ends and len(lengths) == len(self.present) == n and bool((lengths >= 0).all())

    def rows(self, pooled: bool = False) -> FeatureRows:
        """Return every sample's [length, dim] array, in the order of `ids`; absent ones are empty.

        `pooled` averages each over its length, to [1, dim].
        """
        return FeatureRows(self.path, self.offsets, self.dim, pooled)


def features_line(files: Mapping[str, FeatureFile]) -> str:
    """Say for each modality which encoder made its features, and on which weights."""
    parts = []
    for modality, file in files.items():
        encoder, weights = (
            file.source.get(key, "unknown") for key in ("encoder", "weights_origin")
        )
        parts.append(f"{modality} of {encoder} ({weights})")
    return f"features: {', '.join(parts)}"


class FeatureRows:
    """The samples' arrays in a feature file, each read when it is indexed.

    A copy in another process opens the file itself. Raises ValueError naming the file where it is
    damaged.
    """

    def __init__(self, path: Path, offsets: np.ndarray, dim: int, pooled: bool) -> None:
        self.path, self.pooled = path, pooled
        self.present: np.ndarray = np.diff(offsets) > 0
        steps = int(self.present.sum() if pooled else offsets[-1])
        self.nbytes = 4 * dim * steps  # of all arrays in memory
        self._offsets = offsets
        self._values: h5py.Dataset | None = None

    def __len__(self) -> int:
        return len(self.present)

    def __getitem__(self, row: int | np.integer) -> np.ndarray:
        with readable(self.path):
            if self._values is None:
                self._values = _column(h5py.File(self.path, "r"), "values", "f", dimensions=2)
            array = self._values[self._offsets[row] : self._offsets[row + 1]]
        return array.mean(axis=0, keepdims=True) if self.pooled and len(array) else array

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_values": None}  # HDF5's handles belong to one process


def _column(file: h5py.File, name: str, kind: str, dimensions: int = 1) -> h5py.Dataset:
    dataset = plain_dataset(file, name)
    if dataset is None or dataset.dtype.kind != kind or dataset.ndim != dimensions:
        raise ValueError(f"{file.filename}: not a feature file: no {name}; extract again")
    return dataset
