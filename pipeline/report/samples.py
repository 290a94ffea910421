"""Show me: the test samples that the page holds, and what is said of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.features.items import items_of
from pipeline.mtl import Task
from pipeline.report.material import Material
from pipeline.report.thumbnails import thumbnail

TEXT = 600  # characters of a text that are shown
# By task and modality: what it adds [test rows] to the probability of the decision.
Contributions = Mapping[str, Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Decision:
    """One task of one sample; `label` is None where it is unknown.

    `confidence` is the calibrated probability of the decision, `probabilities` are the network's
    own, by class. `contributions` are Shapley values by modality.
    """

    task: str
    label: str | None
    decision: str
    confidence: float
    probabilities: Sequence[tuple[str, float]]
    contributions: Sequence[tuple[str, float]]

    @property
    def wrong(self) -> bool:
        """Whether the label is known and another."""
        return self.label is not None and self.label != self.decision


@dataclass(frozen=True)
class Sample:
    """One test sample in row `place` of the index.

    `picture` is a data URL, `film` whether it is a clip's; `cut` is the length of a text that is
    cut off.
    """

    place: int
    id: str
    event: str | None
    text: str
    cut: int | None
    picture: str | None
    film: bool
    unsure: bool
    decisions: Sequence[Decision]

    @property
    def mistake(self) -> float:
        """The highest confidence of a wrong decision; 0 where none is wrong."""
        worst = self.worst
        return worst.confidence if worst else 0.0

    @property
    def worst(self) -> Decision | None:
        """The most confident wrong decision; None where none is wrong."""
        wrong = [decision for decision in self.decisions if decision.wrong]
        return max(wrong, key=lambda decision: decision.confidence, default=None)

    @property
    def doubted(self) -> Decision:
        """The decision of the lowest confidence."""
        return min(self.decisions, key=lambda decision: decision.confidence)


def choose_rows(material: Material, count: int) -> np.ndarray:
    """Choose at most `count` test rows, in the order of the index.

    A third are the most confident mistakes, a third the least sure, and the others are spread
    evenly over the rest.
    """
    rows = material.test
    if len(rows) <= count:
        return rows
    mistake, least = np.zeros(len(rows)), np.ones(len(rows))
    for task in material.tasks:
        truth, decided = material.truth[task.name][rows], material.decided(task)[rows]
        confidence = material.confidence(task)[rows]
        wrong = (truth >= 0) & (truth != decided)
        mistake = np.maximum(mistake, np.where(wrong, confidence, 0))
        least = np.minimum(least, confidence)
    third = count // 3
    confident = np.argsort(-mistake, kind="stable")[:third]
    unsure = [place for place in np.argsort(least, kind="stable") if place not in confident]
    chosen = {*confident.tolist(), *unsure[:third]}
    rest = [place for place in range(len(rows)) if place not in chosen]
    spread = np.linspace(0, len(rest) - 1, count - len(chosen)).round().astype(int)
    return rows[sorted(chosen.union(rest[place] for place in spread))]


def describe(
    material: Material, rows: np.ndarray, thumbnails: bool, contributions: Contributions
) -> list[Sample]:
    """Describe some of the test rows."""
    places = np.searchsorted(material.test, rows)
    by_task = [_decisions(material, task, rows, places, contributions) for task in material.tasks]
    return [
        _sample(material, int(row), thumbnails, [of_task[number] for of_task in by_task])
        for number, row in enumerate(rows)
    ]


def _decisions(
    material: Material,
    task: Task,
    rows: np.ndarray,
    places: np.ndarray,
    contributions: Contributions,
) -> list[Decision]:
    truth, decided = material.truth[task.name], material.decided(task)
    probabilities, confidence = material.probabilities(task), material.confidence(task)
    added = contributions[task.name]
    return [
        Decision(
            task.name,
            task.classes[truth[row]] if truth[row] >= 0 else None,
            task.classes[decided[row]],
            float(confidence[row]),
            list(zip(task.classes, probabilities[row].tolist(), strict=True)),
            [(modality, float(values[place])) for modality, values in added.items()],
        )
        for row, place in zip(rows, places, strict=True)
    ]


def _sample(
    material: Material, row: int, thumbnails: bool, decisions: Sequence[Decision]
) -> Sample:
    line = material.index.iloc[row]
    visual = items_of(material.index.iloc[[row]], "visual", material.data.raw)
    # What ended a decoder's process in extraction would end this one.
    broken = {"decoder_crashed", "too_large"} & material.kinds(str(line["id"]), "visual")
    text = _text(line.get("text"))
    return Sample(
        row,
        str(line["id"]),
        _text(line.get("event")) or None,
        text[:TEXT],
        len(text) if len(text) > TEXT else None,
        thumbnail(visual[0]) if thumbnails and visual and not broken else None,
        bool(visual) and visual[0].form == "clip",
        bool(material.unsure[row]),
        decisions,
    )


def _text(value: object) -> str:
    missing = value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
    return "" if missing else str(value)
