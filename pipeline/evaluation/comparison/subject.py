"""What is compared: ready-made features in an .npz, or a data set of the pipeline by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import runtime
from pipeline.evaluation.comparison.cells import Problem
from pipeline.evaluation.comparison.views import read_views, view_problem
from pipeline.ground.data_set import DataSet, present_sets
from pipeline.inputs.feature_file import FeatureFile
from pipeline.inputs.parquet import read_table
from pipeline.training.examples import load_examples
from pipeline.training.tasks import load_tasks


@dataclass(frozen=True)
class Subject:
    """A problem without splits, and what splits depend on.

    `groups` [n] must not be divided by a split. `split` [n] is the file's own, or None if each seed
    makes one. `events` [n] is what happened, "" where that is unknown. `data` is the data set of
    the pipeline, or None for an .npz; `place` names the subject in errors.
    """

    name: str
    place: str
    problem: Problem
    groups: np.ndarray
    split: np.ndarray | None = None
    events: np.ndarray | None = None
    data: DataSet | None = None
    notes: tuple[str, ...] = ()

    def title(self, problem: Problem) -> str:
        """Say how large a problem of this subject is."""
        of_tasks, of_views = ("tasks", "modalities") if self.data else ("labels", "views")
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
    views = read_views(path)
    return Subject(path.stem, str(path), view_problem(views), views.groups, views.split)


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
    return Subject(data.name, str(data.folder), problem, groups, None, events, data, tuple(notes))


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
