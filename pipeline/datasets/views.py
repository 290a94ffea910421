"""Ready-made features in one .npz: several views of the same samples, and their labels."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PREFIX = "view_"
OPTIONAL = ("groups", "split", "labels")


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
        raise ValueError(f"{path}: no array named {PREFIX}<name>; found {', '.join(arrays)}")
    labels = _labels(path, arrays)
    for name, values in {**arrays, "Y": labels}.items():
        if name != "labels" and len(values) != len(labels):
            raise ValueError(f"{path}: {name} has {len(values)} rows, Y has {len(labels)}")
    return Views(
        features,
        labels,
        _names(path, arrays, labels.shape[1]),
        arrays.get("groups", np.arange(len(labels))),
        _split(path, arrays),
    )


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            unknown = [
                name
                for name in archive.files
                if not name.startswith(PREFIX) and name not in ("Y", *OPTIONAL)
            ]
            if unknown:
                raise ValueError(f"array {unknown[0]} is not known; rename it {PREFIX}<name>")
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        told = str(error).splitlines()[0] if str(error) else "empty"
        raise ValueError(f"{path}: not an .npz of plain arrays ({told})") from None


def _view(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 2 or not array.shape[1]:
        raise ValueError(f"{path}: {name} has shape {array.shape}; expected [n, d]")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{path}: {name} has dtype {array.dtype}; expected numbers")
    values = array.astype(np.float32)
    # A sample either has a view or has not: a single missing number makes its row absent.
    values[np.isnan(values).any(axis=1)] = np.nan
    if np.isinf(values).any():
        raise ValueError(f"{path}: {name} has an infinite value in row {_first(np.isinf(values))}")
    return values


def _labels(path: Path, arrays: dict[str, np.ndarray]) -> np.ndarray:
    if "Y" not in arrays:
        raise ValueError(f"{path}: no array named Y; found {', '.join(arrays)}")
    labels = arrays["Y"]
    if labels.ndim != 2 or labels.dtype.kind not in "fiub":
        raise ValueError(
            f"{path}: Y has shape {labels.shape} and dtype {labels.dtype}; expected [n, labels] of "
            "1, 0, and -1 for unknown"
        )
    strange = ~np.isin(labels, (-1, 0, 1))
    if strange.any():
        row = _first(strange)
        raise ValueError(f"{path}: Y has {labels[strange][0]} in row {row}; allowed: 1, 0, -1")
    return labels.astype(np.int64)


def _names(path: Path, arrays: dict[str, np.ndarray], count: int) -> tuple[str, ...]:
    names = arrays.get("labels", np.array([f"label_{i}" for i in range(count)]))
    if names.dtype.kind != "U" or names.shape != (count,) or len(set(names)) != count:
        raise ValueError(f"{path}: labels must be {count} different names, one a column of Y")
    return tuple(str(name) for name in names)


def _split(path: Path, arrays: dict[str, np.ndarray]) -> np.ndarray | None:
    split = arrays.get("split")
    if split is not None and not np.isin(split, ("train", "val", "test")).all():
        raise ValueError(f"{path}: split may hold train, val and test alone")
    return split


def _first(wrong: np.ndarray) -> int:
    return int(wrong.any(axis=1).argmax())
