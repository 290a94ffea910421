"""Show me: the test samples that the page holds, and what is said of each."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.features.items import items_of
from pipeline.features.recipe import Item
from pipeline.media import MediaError, read_photo, sample_frames
from pipeline.mtl import Task
from pipeline.report.learning import Contributions
from pipeline.report.material import Material

TEXT = 600  # characters of a text that are shown
BRIEF = 6  # lines of the lists of mistakes and of unsure samples
SIDE = 160  # pixels, of a photo's longer side
FRAMES = 4  # of a clip
STRIP = 120  # pixels, of a frame's longer side
QUALITY = 70  # of a JPEG


@dataclass(frozen=True)
class Decision:
    """One task of one sample; `label` is None if it is unknown.

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
        """The highest confidence of a wrong decision; 0 if none is wrong."""
        worst = self.worst
        return worst.confidence if worst else 0.0

    @property
    def worst(self) -> Decision | None:
        """The most confident wrong decision; None if none is wrong."""
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


def most_mistaken(samples: Sequence[Sample]) -> list[tuple[Sample, Decision]]:
    """List the samples with the most confident mistakes, each with that decision."""
    wrong = [(sample, sample.worst) for sample in samples if sample.worst]
    return sorted(wrong, key=lambda pair: (-pair[1].confidence, pair[0].place))[:BRIEF]


def least_sure(samples: Sequence[Sample]) -> list[tuple[Sample, Decision]]:
    """List the samples with the least confident decisions, each with that decision."""
    pairs = [(sample, sample.doubted) for sample in samples]
    return sorted(pairs, key=lambda pair: (pair[1].confidence, pair[0].place))[:BRIEF]


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


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def thumbnail(item: Item) -> str | None:
    """Return a JPEG of a visual item's first photo, or of frames of its clip, as a data URL.

    None if it cannot be read; the failures of the extraction say why.
    """
    try:
        if item.form == "photo":
            return _data_url(_shrunk(read_photo(item.file).pixels, SIDE))
        clip = sample_frames(
            item.file, FRAMES, item.start, item.end, lambda frame: _shrunk(frame, STRIP)
        )
        return _data_url(np.concatenate(list(clip.frames), axis=1))
    except MediaError:
        return None


def _shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    """Scale a picture [height, width, 3] so that its longer side has at most `side` pixels."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    return np.asarray(image)


def _data_url(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
