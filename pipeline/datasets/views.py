"""Ready-made features in one .npz: several views of the same samples, and their labels."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PREFIX = "view_"
OPTIONAL = ("groups", "split", "labels")
SIDES = ("train", "val", "test")
_NUMBERS = "fiub"  # numpy's kinds


@dataclass(frozen=True)
class Views:
    """`features[name]` [n, d] float32, a row of NaN where the view is absent; `labels` [n, L].

    A label is 1, 0, or -1 for unknown. `groups` [n] must not be divided by a split; `split` [n]
    holds train, val or test, or is None for a split to be made.
    """

    features: dict[str, np.ndarray]
    labels: np.ndarray
    names: tuple[str, ...]
    groups: np.ndarray
    split: np.ndarray | None


def read_views(path: Path) -> Views:
    """Read and check an .npz; nothing in it is ever unpickled.

    It holds `view_<name>` [n, d], `Y` [n, L], and optionally `groups` [n], `split` [n] and the
    labels' names `labels` [L]. Raises ValueError with one line that names file and array.
    """
    arrays = _load(path)
    features = {
        name.removeprefix(PREFIX): _view(path, name, array)
        for name, array in sorted(arrays.items())
        if name.startswith(PREFIX)
    }
    if not features:
        raise ValueError(f"{path}: no array named {PREFIX}<name>; found {_listed(arrays)}")
    labels = _labels(path, arrays)
    groups = _groups(path, arrays.get("groups", np.arange(len(labels))))
    split = _split(path, arrays)
    for name, values in arrays.items():
        if name != "labels" and len(values) != len(labels):
            raise ValueError(f"{path}: {name} has {len(values)} rows, Y has {len(labels)}")
    return Views(features, labels, _names(path, arrays, labels.shape[1]), groups, split)


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    if not path.stat().st_size:
        raise ValueError(f"{path}: the file is empty; write it with numpy.savez")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: not an .npz (a zip of arrays); write it with numpy.savez")
    try:
        # Opened here: numpy leaves its own file open where the zip is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: _array(archive, name) for name in _known(archive.files)}
    except (
        ValueError,
        OSError,
        EOFError,
        MemoryError,
        NotImplementedError,
        RuntimeError,
        SyntaxError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: {told}") from None


def _known(names: list[str]) -> list[str]:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"array {name} is there twice")
        if name == PREFIX or not (name.startswith(PREFIX) or name in ("Y", *OPTIONAL)):
            raise ValueError(f"array {name} is not known; name a view {PREFIX}<name>")
    return names


def _array(archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    try:
        array = archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise ValueError(f"array {name} cannot be read: {error}") from None
        raise ValueError(
            f"{name} is an array of Python objects, which is never unpickled; save plain numbers"
        ) from None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name} is not a numpy array; write the file with numpy.savez")
    return array


def _view(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 2 or not array.shape[1]:
        raise ValueError(f"{path}: {name} has shape {array.shape}; expected [n, d]")
    if array.dtype.kind not in _NUMBERS:
        raise ValueError(f"{path}: {name} has dtype {array.dtype}; expected numbers")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, and is told below
        values = array.astype(np.float32)
    infinite = np.isinf(values)
    if infinite.any():
        row = _first(infinite)
        raise ValueError(
            f"{path}: {name} has an infinite value in row {row}; NaN says that a row is absent"
        )
    # A sample either has a view or has not: a single missing number makes its row absent.
    values[np.isnan(values).any(axis=1)] = np.nan
    return values


def _labels(path: Path, arrays: dict[str, np.ndarray]) -> np.ndarray:
    if "Y" not in arrays:
        raise ValueError(f"{path}: no array named Y; found {_listed(arrays)}")
    labels = arrays["Y"]
    if labels.ndim != 2 or labels.dtype.kind not in _NUMBERS or not labels.shape[1]:
        raise ValueError(
            f"{path}: Y has shape {labels.shape} and dtype {labels.dtype}; expected [n, labels] of "
            "1, 0, and -1 for unknown"
        )
    strange = (labels != 0) & (labels != 1) & (labels != -1)
    if strange.any():
        row = _first(strange)
        found = labels[row][strange[row]][0]
        raise ValueError(f"{path}: Y has {found} in row {row}; allowed: 1, 0, -1 (unknown)")
    return labels.astype(np.int64)


def _names(path: Path, arrays: dict[str, np.ndarray], count: int) -> tuple[str, ...]:
    names = arrays.get("labels", np.array([f"label_{i}" for i in range(count)]))
    given = names.tolist() if names.dtype.kind == "U" and names.ndim == 1 else []
    if len(given) != count or len(set(given)) != count or not all(given):
        raise ValueError(f"{path}: labels must be {count} different names, one a column of Y")
    return tuple(given)


def _groups(path: Path, groups: np.ndarray) -> np.ndarray:
    if groups.ndim != 1 or groups.dtype.kind not in "iuU":
        raise ValueError(
            f"{path}: groups has shape {groups.shape} and dtype {groups.dtype}; expected [n] of "
            "whole numbers or text"
        )
    return groups


def _split(path: Path, arrays: dict[str, np.ndarray]) -> np.ndarray | None:
    split = arrays.get("split")
    if split is None:
        return None
    if split.ndim != 1 or split.dtype.kind != "U":
        raise ValueError(f"{path}: split must be [n] of text: {', '.join(SIDES)}")
    if len(strange := np.setdiff1d(split, SIDES)):
        raise ValueError(f"{path}: split has {str(strange[0])!r}; allowed: {', '.join(SIDES)}")
    return split


def _listed(arrays: dict[str, np.ndarray]) -> str:
    return ", ".join(sorted(arrays)) or "nothing"


def _first(wrong: np.ndarray) -> int:
    return int(wrong.any(axis=1).argmax())
