"""Where is it wrong: by class, by event, by the modalities present, by confidence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.calibration import calibrated, reliability
from pipeline.evaluation.plots import precision_recall
from pipeline.evaluation.scores import average_precision, task_scores
from pipeline.mtl import Task
from pipeline.report.material import Material

NO_MODALITY = "none"


@dataclass(frozen=True)
class ClassLine:
    """One class against the rest on test; NaN if a score is undefined."""

    label: str
    support: int
    decided: int
    precision: float
    recall: float
    f1: float
    average_precision: float


@dataclass(frozen=True)
class Bin:
    """Rows of similar confidence: their number, mean confidence, and the share that is right."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class TaskMistakes:
    """One task on test: `confusion` [classes, classes] counts rows of truth by decision.

    `curves` are the class, recall and precision (from recall 0 on) of each class that has a
    positive. `bins` are those of the calibrated probabilities; `ece` is the expected calibration
    error of the network's own probabilities, `ece_calibrated` that of the calibrated ones.
    """

    task: Task
    classes: Sequence[ClassLine]
    confusion: np.ndarray
    curves: Sequence[tuple[str, np.ndarray, np.ndarray]]
    bins: Sequence[Bin]
    ece: float
    ece_calibrated: float


@dataclass(frozen=True)
class Part:
    """The test samples of one event or pattern: how many, and each task's labelled rows and F1."""

    name: str
    samples: int
    labelled: Mapping[str, int]
    f1: Mapping[str, float]


def mistakes_of(material: Material) -> list[TaskMistakes]:
    """Count the test mistakes of each task; one without a labelled test sample has no classes."""
    return [_task_mistakes(material, task) for task in material.tasks]


def _task_mistakes(material: Material, task: Task) -> TaskMistakes:
    truth = material.truth[task.name][material.test]
    known = truth >= 0
    truth = truth[known]
    decided = material.decided(task)[material.test][known]
    probabilities = material.probabilities(task)[material.test][known]
    confusion = np.zeros((len(task.classes), len(task.classes)), np.int64)
    np.add.at(confusion, (truth, decided), 1)
    classes = list(_class_lines(task, confusion, truth, probabilities)) if len(truth) else []
    scores = material.metrics[task.name]
    scaled = calibrated(probabilities, float(scores.get("temperature", 1.0)))
    bins = reliability(truth, scaled) if len(truth) else []
    return TaskMistakes(
        task,
        classes,
        confusion,
        _curves(task, truth, probabilities),
        [Bin(round(share * len(truth)), sure, accuracy) for share, accuracy, sure in bins],
        float(scores.get("ece", math.nan)),
        float(scores.get("ece_calibrated", math.nan)),
    )


def _class_lines(
    task: Task, confusion: np.ndarray, truth: np.ndarray, probabilities: np.ndarray
) -> Iterator[ClassLine]:
    once = np.ones((1, len(truth)))
    for code, label in enumerate(task.classes):
        hits, support = int(confusion[code, code]), int(confusion[code].sum())
        decided = int(confusion[:, code].sum())
        ranked = average_precision(truth == code, probabilities[:, code], once)
        yield ClassLine(
            label,
            support,
            decided,
            _share(hits, decided),
            _share(hits, support),
            _share(2 * hits, support + decided) if support else math.nan,
            float(ranked[0]),
        )


def _curves(
    task: Task, truth: np.ndarray, probabilities: np.ndarray
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    table = precision_recall(task, truth, probabilities)
    return [
        (
            str(label),
            curve["recall"].to_numpy(float)[::-1],
            curve["precision"].to_numpy(float)[::-1],
        )
        for label, curve in table.groupby("class", sort=False)
    ]


def by_event(material: Material) -> list[Part]:
    """Score the test samples of each event; empty if the index has none."""
    if "event" not in material.index:
        return []
    events = material.index["event"].iloc[material.test]
    names = sorted(events.dropna().astype(str).unique())
    return [_part(material, name, (events == name).fillna(False).to_numpy(bool)) for name in names]


def by_pattern(material: Material) -> list[Part]:
    """Score the test samples of each combination of modalities, the most frequent first."""
    present = {name: material.present(name) for name in material.modalities}
    patterns = np.array(
        [
            " + ".join(name for name in present if present[name][row]) or NO_MODALITY
            for row in material.test
        ],
        dtype=object,
    )
    names = sorted(set(patterns), key=lambda name: (-int((patterns == name).sum()), name))
    return [_part(material, name, patterns == name) for name in names]


def _part(material: Material, name: str, chosen: np.ndarray) -> Part:
    rows = material.test[chosen]
    labelled, f1 = {}, {}
    for task in material.tasks:
        truth, probabilities = material.truth[task.name][rows], material.probabilities(task)[rows]
        scores = task_scores(task, truth, probabilities, material.decided(task)[rows])
        labelled[task.name] = int(scores["support"])
        f1[task.name] = float(scores.get("f1", math.nan))
    return Part(name, len(rows), labelled, f1)


def _share(above: int, below: int) -> float:
    return above / below if below else math.nan
