"""What is compared: ready-made features in an .npz, or a data set of the pipeline by its name."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import runtime
from pipeline.evaluation.comparison.cells import Problem
from pipeline.ground.data_set import DataSet, present_sets
from pipeline.inputs.feature_file import FeatureFile
from pipeline.inputs.parquet import read_table
from pipeline.mtl import Task
from pipeline.training.examples import Examples, load_examples
from pipeline.training.tasks import load_tasks

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
class Subject:
    """A problem without splits, and what splits depend on.

    `groups` [n] must not be divided by a split. `split` [n] is the file's own, or None if each seed
    makes one. `events` [n] is what happened, "" where that is unknown. `place` names the subject in
    errors. Only a data set of the pipeline has texts.
    """

    name: str
    place: str
    problem: Problem
    groups: np.ndarray
    split: np.ndarray | None = None
    events: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def title(self, problem: Problem) -> str:
        """Say how large a problem of this subject is."""
        of_tasks, of_views = ("tasks", "modalities") if self.problem.texts else ("labels", "views")
        widths = ", ".join(f"{name} {width}" for name, width in problem.examples.dims.items())
        size = f"{len(problem.examples.ids):,} rows, {len(problem.tasks)} {of_tasks}"
        return f"{self.name}: {size}, {of_views} {widths}"


def read_subject(name: str) -> Subject:
    """Read an .npz, or the index, tasks and features of a data set of the pipeline.

    Raises ValueError with one line that says what is missing or wrong, and the cure.
    """
    sets = present_sets()
    if name in sets:
        return _of_data_set(sets[name])
    path = Path(name)
    if path.suffix != ".npz" and not path.is_file():
        raise ValueError(f"{name}: no data set of this name ({', '.join(sets)}) and no such file")
    try:
        return _of_npz(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _of_data_set(data: DataSet) -> Subject:
    stages = {name: data.features(name) for name in data.modalities}
    missing = [f"{name}@{data.name}" for name, path in stages.items() if not path.exists()]
    if not (data.index.exists() and data.tasks.exists()):
        missing = [f"index@{data.name}", *missing]
    if missing:
        raise ValueError(f"{data.folder}: not extracted yet; run `dvc repro {' '.join(missing)}`")
    index, tasks = read_table(data.index), load_tasks(data.tasks)
    features = {name: data.features(name) for name in data.modalities_of(index)}
    encoder = data.encoder_of(index)
    copies = 1 + runtime.workers()  # each training process gets its own
    examples = load_examples(index, tasks, features, encoder == "pooled", copies)
    texts = tuple(index["text"].fillna("").tolist())
    problem = Problem(examples, tuple(tasks), encoder, texts=texts)
    events = index["event"].fillna("").to_numpy(str) if "event" in index else None
    notes = [_features_note(list(features.values())), _labels_note(problem)]
    notes += [examples.readers.description] if examples.readers else []
    groups = index["group"].to_numpy(str)
    return Subject(data.name, str(data.folder), problem, groups, None, events, tuple(notes))


def _features_note(paths: Sequence[Path]) -> str:
    """Say which encoder made each modality's features, and on which weights."""
    made = []
    for path in paths:
        attributes = FeatureFile(path).attributes
        encoder = attributes.get("encoder", attributes.get("extractor", "unknown"))
        weights = attributes.get("weights_origin")
        made.append(f"{path.stem} {encoder}{f' ({weights})' if weights else ''}")
    return f"Features: {', '.join(made)}."


def _labels_note(problem: Problem) -> str:
    """Count the labelled rows of each task and class."""
    counts = []
    for task in problem.tasks:
        truth = problem.examples.targets[task.name]
        classes = [f"{label} {(truth == code).sum():,}" for code, label in enumerate(task.classes)]
        counts.append(f"{task.name} {(truth >= 0).sum():,} ({', '.join(classes)})")
    return f"Labelled rows: {'; '.join(counts)}."


def _of_npz(path: Path) -> Subject:
    """Read and check an .npz, without unpickling anything; docs/compare.md lists its arrays.

    Each label is a task, and each view a sequence of one step, or of none where it is absent.
    """
    arrays = _load(path)
    _check_arrays(arrays)
    labels, split = _labels(arrays["Y"]), arrays.get("split")
    if split is not None and len(invalid := np.setdiff1d(split, SIDES)):
        raise ValueError(f"split has {str(invalid[0])!r}; allowed: {', '.join(SIDES)}")
    views = [name for name in sorted(arrays) if name.startswith(PREFIX)]
    sequences = {name.removeprefix(PREFIX): _sequences(name, arrays[name]) for name in views}
    names = _names(arrays.get("labels"), labels.shape[1])
    ids = [str(row) for row in range(len(labels))]
    sides = np.full(len(ids), "") if split is None else split
    examples = Examples(ids, sides, sequences, dict(zip(names, labels.T, strict=True)))
    problem = Problem(examples, tuple(label_task(name) for name in names), "pooled")
    groups = arrays.get("groups", np.arange(len(ids)))
    return Subject(path.stem, str(path), problem, groups, split)


def label_task(name: str) -> Task:
    """Return the task of a yes-or-no label, with one logit."""
    return Task(name, ("absent", "present"), negative="absent", head="sigmoid")


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


def _sequences(name: str, array: np.ndarray) -> list[np.ndarray]:
    """Return each row of a view [n, d] as float32 [1, d], or [0, d] where the view is absent."""
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, an error below
        values = array.astype(np.float32)
    infinite = np.isinf(values).any(axis=1)
    if infinite.any():
        row = infinite.argmax()
        raise ValueError(f"{name} has an infinite value in row {row}; write NaN for an absent row")
    # A row with a single missing number counts as absent, so that no view is filled in part.
    steps = np.where(np.isnan(values).any(axis=1), 0, 1)
    return [row[None][:count] for row, count in zip(values, steps, strict=True)]


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
