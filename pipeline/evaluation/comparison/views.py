"""Ready-made features in one .npz: several views of the same samples, and their labels."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.datasets.split import check_no_leak, grouped_split

PREFIX = "view_"
OPTIONAL = ("groups", "split", "labels")
SIDES = ("train", "val", "test")
_NUMBERS = "fiub"  # numpy's kinds


@dataclass(frozen=True)
class Views:
    """`features[name]` [n, d] float32, a row of NaN where the view is absent; `labels` [n, L].

    A label is 1, 0, or -1 for unknown. `groups` [n] must not be divided by a split; `split` [n]
    holds train, val or test, or is None where each seed makes its own.
    """

    features: dict[str, np.ndarray]
    labels: np.ndarray
    names: tuple[str, ...]
    groups: np.ndarray
    split: np.ndarray | None


def read_views(path: Path) -> Views:
    """Read and check an .npz, without unpickling anything.

    It holds `view_<name>` [n, d], `Y` [n, L], and optionally `groups` [n], `split` [n] and the
    labels' names `labels` [L]. Raises ValueError with one line that names file and array.
    """
    arrays = _load(path)
    try:
        names = sorted(name for name in arrays if name.startswith(PREFIX))
        features = {name.removeprefix(PREFIX): _view(name, arrays[name]) for name in names}
        if not features:
            raise ValueError(f"no array named {PREFIX}<name>; there are: {_listed(arrays)}")
        labels = _labels(arrays)
        groups = _groups(arrays.get("groups", np.arange(len(labels))))
        split = _split(arrays.get("split"))
        for name, values in arrays.items():
            if name != "labels" and len(values) != len(labels):
                raise ValueError(f"{name} has {len(values)} rows, Y has {len(labels)}")
        return Views(features, labels, _names(arrays, labels.shape[1]), groups, split)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


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
            _check_names(archive.files)
            return {name: _array(archive, name) for name in archive.files}
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
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: {message}") from None


def _check_names(names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"array {name} appears twice")
        if name == PREFIX or not (name.startswith(PREFIX) or name in ("Y", *OPTIONAL)):
            raise ValueError(f"array {name} is not known; name a view {PREFIX}<name>")


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


def _view(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 2 or not array.shape[1]:
        raise ValueError(f"{name} has shape {array.shape}; expected [n, d]")
    if array.dtype.kind not in _NUMBERS:
        raise ValueError(f"{name} has dtype {array.dtype}; expected numbers")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, an error below
        values = array.astype(np.float32)
    infinite = np.isinf(values)
    if infinite.any():
        row = _first_row(infinite)
        raise ValueError(f"{name} has an infinite value in row {row}; write NaN for an absent row")
    # A row with a single missing number counts as absent, so that no view is filled in part.
    values[np.isnan(values).any(axis=1)] = np.nan
    return values


def _labels(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    if "Y" not in arrays:
        raise ValueError(f"no array named Y; there are: {_listed(arrays)}")
    labels = arrays["Y"]
    if labels.ndim != 2 or labels.dtype.kind not in _NUMBERS or not labels.shape[1]:
        raise ValueError(
            f"Y has shape {labels.shape} and dtype {labels.dtype}; expected [n, labels] of 1, 0, "
            "and -1 for unknown"
        )
    invalid = (labels != 0) & (labels != 1) & (labels != -1)
    if invalid.any():
        row = _first_row(invalid)
        value = labels[row][invalid[row]][0]
        raise ValueError(f"Y has {value} in row {row}; allowed: 1, 0, -1 (unknown)")
    return labels.astype(np.int64)


def _names(arrays: Mapping[str, np.ndarray], count: int) -> tuple[str, ...]:
    names = arrays.get("labels", np.array([f"label_{i}" for i in range(count)]))
    values = names.tolist() if names.dtype.kind == "U" and names.ndim == 1 else []
    if len(values) != count or len(set(values)) != count or not all(values):
        raise ValueError(f"labels must be {count} different names, one a column of Y")
    return tuple(values)


def _groups(groups: np.ndarray) -> np.ndarray:
    if groups.ndim != 1 or groups.dtype.kind not in "iuU":
        raise ValueError(
            f"groups has shape {groups.shape} and dtype {groups.dtype}; expected [n] of whole "
            "numbers or text"
        )
    return groups


def _split(split: np.ndarray | None) -> np.ndarray | None:
    if split is None:
        return None
    if split.ndim != 1 or split.dtype.kind != "U":
        raise ValueError(f"split must be [n] of text: {', '.join(SIDES)}")
    if len(invalid := np.setdiff1d(split, SIDES)):
        raise ValueError(f"split has {str(invalid[0])!r}; allowed: {', '.join(SIDES)}")
    return split


def _listed(arrays: Mapping[str, np.ndarray]) -> str:
    return ", ".join(sorted(arrays)) or "none"


def _first_row(invalid: np.ndarray) -> int:
    return int(invalid.any(axis=1).argmax())


def split_views(views: Views, seeds: Sequence[int]) -> tuple[Views, dict[int, np.ndarray], str]:
    """Give each seed its split [n], and leave out the labels that cannot be learnt in all of them.

    A split is the file's own, or the seed's: 60/20/20 over whole groups, stratified by all labels.
    A label is left out, in all seeds alike, where one split has no positive or no negative training
    row of it; the text returned says so. Raises ValueError for a side without rows, a divided
    group, a view that training never has, and where nothing is left to learn or to score.
    """
    splits = {seed: _split_of(views, seed) for seed in seeds}
    learnable = np.ones(len(views.names), bool)
    for split in splits.values():
        train = views.labels[split == "train"]
        learnable &= (train == 1).any(axis=0) & (train == 0).any(axis=0)
    if not learnable.any():
        raise ValueError("no label has positives and negatives among the training rows")
    omitted = [name for name, keep in zip(views.names, learnable, strict=True) if not keep]
    names = tuple(name for name in views.names if name not in omitted)
    views = replace(views, labels=views.labels[:, learnable], names=names)
    for seed, split in splits.items():
        _check_sides(
            views, split, "" if views.split is not None else f" in the split of seed {seed}"
        )
    reason = "a training side lacks positives or negatives of it"
    return views, splits, f"labels left out ({reason}): {', '.join(omitted)}" if omitted else ""


def _split_of(views: Views, seed: int) -> np.ndarray:
    split = views.split
    if split is None:
        labels = pd.DataFrame(views.labels, columns=list(views.names))
        labels = labels.mask(labels < 0).astype("Int64")
        split = grouped_split(pd.Series(views.groups), labels, seed).to_numpy(str)
    check_no_leak(pd.DataFrame({"group": views.groups.astype(str), "split": split}), {})
    for side in SIDES:
        if not (split == side).any():
            raise ValueError(f"split has no {side} row; all of {', '.join(SIDES)} are needed")
    return split


def _check_sides(views: Views, split: np.ndarray, where: str) -> None:
    for side in ("val", "test"):
        if not (views.labels[split == side] == 1).any():
            raise ValueError(f"no {side} row has a positive of any label{where}")
    for name, values in views.features.items():
        if np.isnan(values[split == "train"]).any(axis=1).all():
            raise ValueError(f"view_{name} has NaN in every training row{where}; leave it out")
