"""Ready-made features in one .npz: views of the same samples, and their labels."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.evaluation.comparison.cells import Problem
from pipeline.mtl import Task
from pipeline.training.examples import Examples

PREFIX = "view_"
LONGEST_NAME = 60  # bytes of a view's or a label's name
SIDES = ("train", "val", "test")
_NUMBERS = "fiub"  # numpy's kinds
# Each array's dimensions, kinds of its dtype, and both in words.
_ARRAYS = {
    PREFIX: (2, _NUMBERS, "[n, d] of numbers"),
    "Y": (2, _NUMBERS, "[n, labels] of 1, 0, and -1 for unknown"),
    "labels": (1, "U", "[labels] of text"),
    "groups": (1, "iuU", "[n] of whole numbers or text"),
    "split": (1, "U", f"[n] of {', '.join(SIDES)}"),
}


@dataclass(frozen=True)
class Views:
    """`features[name]` [n, d] float32, a row of NaN where the view is absent; `labels` [n, L].

    A label is 1, 0, or -1 for unknown. `groups` [n] must not be divided by a split; `split` [n]
    holds train, val or test, or is None if each seed makes its own.
    """

    features: dict[str, np.ndarray]
    labels: np.ndarray
    names: tuple[str, ...]
    groups: np.ndarray
    split: np.ndarray | None


def read_views(path: Path) -> Views:
    """Read and check an .npz, without unpickling anything; docs/compare.md lists its arrays.

    Raises ValueError with one line that names file and array.
    """
    try:
        arrays = _load(path)
        _check_arrays(arrays)
        labels, split = _labels(arrays["Y"]), arrays.get("split")
        views = [name for name in sorted(arrays) if name.startswith(PREFIX)]
        if split is not None and len(invalid := np.setdiff1d(split, SIDES)):
            raise ValueError(f"split has {str(invalid[0])!r}; allowed: {', '.join(SIDES)}")
        return Views(
            {name.removeprefix(PREFIX): _view(name, arrays[name]) for name in views},
            labels,
            _names(arrays.get("labels"), labels.shape[1]),
            arrays.get("groups", np.arange(len(labels))),
            split,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise ValueError("no such file")
    if not zipfile.is_zipfile(path):
        raise ValueError("not an .npz (a zip of arrays); write it with numpy.savez")
    arrays, name = {}, "the file"
    try:
        # Opened here: numpy leaves its own file open where the zip is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            for name in archive.files:
                arrays[name] = archive[name]
    except Exception as error:  # zipfile, zlib and numpy's parser raise many kinds of errors
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{name} cannot be read: {message}") from None
    return arrays


def _check_arrays(arrays: dict[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        kind = PREFIX if name.startswith(PREFIX) else name
        if kind not in _ARRAYS or name == PREFIX:
            raise ValueError(f"array {name!r} is not known; name a view {PREFIX}<name>")
        _check_name(name)
        if not isinstance(array, np.ndarray):  # numpy returns other members of the zip as bytes
            raise ValueError(f"{name} is not a numpy array; write the file with numpy.savez")
        dimensions, kinds, expected = _ARRAYS[kind]
        if array.ndim != dimensions or array.dtype.kind not in kinds or 0 in array.shape:
            form = f"shape {array.shape} and dtype {array.dtype}"
            raise ValueError(f"{name} has {form}; expected {expected}")
    if "Y" not in arrays or not any(name.startswith(PREFIX) for name in arrays):
        there = ", ".join(sorted(arrays)) or "none"
        raise ValueError(f"Y and at least one {PREFIX}<name> are needed; there are: {there}")
    for name, array in arrays.items():
        if name != "labels" and len(array) != len(arrays["Y"]):
            raise ValueError(f"{name} has {len(array)} rows, Y has {len(arrays['Y'])}")


def _view(name: str, array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, an error below
        values = array.astype(np.float32)
    infinite = np.isinf(values).any(axis=1)
    if infinite.any():
        row = infinite.argmax()
        raise ValueError(f"{name} has an infinite value in row {row}; write NaN for an absent row")
    # A row with a single missing number counts as absent, so that no view is filled in part.
    values[np.isnan(values).any(axis=1)] = np.nan
    return values


def _labels(labels: np.ndarray) -> np.ndarray:
    invalid = ~np.isin(labels, (-1, 0, 1))
    if invalid.any():
        row = invalid.any(axis=1).argmax()
        value = labels[invalid][0]
        raise ValueError(f"Y has {value} in row {row}; allowed: 1, 0, -1 (unknown)")
    return labels.astype(np.int64)


def _names(labels: np.ndarray | None, count: int) -> tuple[str, ...]:
    if labels is None:
        return tuple(f"label_{i}" for i in range(count))
    names = tuple(labels.tolist())
    if len(names) != count or len(set(names)) != count or not all(names):
        raise ValueError(f"labels must be {count} different names, one per column of Y")
    for name in names:
        _check_name(name)
    return names


def _check_name(name: str) -> None:
    # A | ends a cell of a Markdown table, a $ begins a formula of a picture.
    if not name.isprintable() or set("|$") & set(name) or len(name.encode()) > LONGEST_NAME:
        raise ValueError(
            f"{name!r} is not a valid name of a view or label; allowed: printable characters but | "
            f"and $, at most {LONGEST_NAME} bytes"
        )


def label_task(name: str) -> Task:
    """Return the task of a yes-or-no label, with one logit."""
    return Task(name, ("absent", "present"), negative="absent", head="sigmoid")


def view_problem(views: Views) -> Problem:
    """Make each label a task with one logit, and each view a sequence of one step, or of none."""
    sequences = {
        name: [row[None] if not np.isnan(row[0]) else row[None][:0] for row in values]
        for name, values in views.features.items()
    }
    targets = {name: views.labels[:, label] for label, name in enumerate(views.names)}
    ids = [str(row) for row in range(len(views.labels))]
    split = np.full(len(ids), "") if views.split is None else views.split
    examples = Examples(ids, split, sequences, targets)
    return Problem(examples, tuple(label_task(name) for name in views.names), "pooled")
