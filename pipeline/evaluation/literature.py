"""Published figures, and what keeps each of them from being compared with ours.

`literature.json` holds them. This code computed the `verified` ones again; the `quoted` ones are
known from a text only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from pipeline.evaluation.scores import Scores
from pipeline.ground.checked_yaml import Section
from pipeline.inputs.json_files import read_json
from pipeline.mtl import Task
from pipeline.params import CrisisMMDParams, Modality, Positive, PostsParams, YouTubeParams

FILE = Path(__file__).with_suffix(".json")
NOT_SAID = "not said"
HEADER = ("figure", "classes", "split", "model", "modalities", "source", "status")
_Text = Annotated[str, Field(min_length=1)]


class Figure(Section):
    """One published figure; what its source does not say is null, or an empty list of modalities.

    `shots`: labelled training samples a class, null for all. `test_rows`: labelled test samples.
    """

    paper: _Text | None
    year: Annotated[int, Field(ge=1990, le=2100)] | None
    url: _Text | None
    data_set: _Text
    task: _Text | None
    metric: Literal["accuracy", "f1_macro", "f1_weighted", "f1", "hl", "map"]
    class_set: _Text | None
    split: _Text | None
    test_rows: Positive | None
    shots: Positive | None
    model: _Text
    modalities: list[Modality]
    value: Annotated[float, Field(ge=0, le=1)]
    status: Literal["verified", "quoted"]
    note: str

    @property
    def source(self) -> str:
        """Authors and year, or that they are not known."""
        if self.paper is None:
            return "source not said"
        authors = self.paper.partition(",")[0]
        return f"{authors} et al. {self.year}" if "," in self.paper else authors


class Literature(Section):
    """All figures, and the classes of each class set that they name."""

    class_sets: dict[str, Annotated[list[_Text], Field(min_length=2)]]
    figures: list[Figure]


@dataclass(frozen=True)
class Ours:
    """What a score of ours is a score of; see `Figure`."""

    data_set: str
    task: str
    metric: str
    classes: Sequence[str]
    split: str
    test_rows: int
    shots: int | None = None


def read_literature(path: Path = FILE) -> Literature:
    """Read the published figures; raises ValueError for a class set that is not described."""
    literature = read_json(path, Literature)
    named = {figure.class_set for figure in literature.figures if figure.class_set}
    if unknown := sorted(named - literature.class_sets.keys()):
        raise ValueError(f"{path}: class set {unknown[0]!r} is not in class_sets; add it")
    return literature


def differences(literature: Literature, figure: Figure, ours: Ours) -> list[str]:
    """Say in what a published figure is not comparable with a score of ours; empty if it is.

    What its source does not say counts as different. Models and modalities may differ: they are
    what is compared.
    """
    classes = literature.class_sets.get(figure.class_set or "", [])
    pairs = {
        "data set": (figure.data_set, ours.data_set),
        "task": (figure.task, ours.task),
        "metric": (figure.metric, ours.metric),
        "split": (figure.split, ours.split),
        "test samples": (figure.test_rows, ours.test_rows),
        "shots": (figure.shots or "all labels", ours.shots or "all labels"),
    }
    lines = [
        f"{name} {NOT_SAID if theirs is None else theirs}, ours {own}"
        for name, (theirs, own) in pairs.items()
        if theirs != own
    ]
    if set(classes) != set(ours.classes):
        lines.append(f"classes {len(classes) or NOT_SAID}, ours {len(ours.classes)}")
    return lines


def split_name(params: CrisisMMDParams | YouTubeParams | PostsParams, labels: pd.Series) -> str:
    """Name a task's split as the figures do; `agreed` is one in which no label is masked."""
    if not isinstance(params, CrisisMMDParams):
        return params.split
    if params.split == "event":
        return f"event {params.test_event}"
    if params.split in ("grouped", "official_damage"):
        return params.split
    agreed = params.labels == "agreed" and labels.notna().all()
    return f"{params.split}_agreed" if agreed else f"{params.split}_{params.labels}_of_all"


@dataclass(frozen=True)
class Comparison:
    """A published figure beside our score by the same metric, null if there is none."""

    figure: Figure
    ours: float | None
    differences: list[str]


def beside_ours(
    data_set: str,
    params: CrisisMMDParams | YouTubeParams | PostsParams,
    index: pd.DataFrame,
    tasks: Sequence[Task],
    scores: Mapping[str, Scores],
    shots: int | None,
) -> list[Comparison]:
    """List the figures of a data set and its tasks, each with our score and what differs.

    `params` are those of the data set. A figure that names no task is compared with the first one.
    """
    literature, comparisons = read_literature(), []
    by_name = {task.name: task for task in tasks}
    for figure in literature.figures:
        task = by_name.get(figure.task or tasks[0].name)
        if figure.data_set != data_set or task is None:
            continue
        values, split = scores[task.name], split_name(params, index[task.name])
        metric = figure.metric if figure.metric in values else "none"
        rows = int(values["support"])
        ours = Ours(data_set, task.name, metric, task.classes, split, rows, shots)
        value = values.get(figure.metric) if figure.task else None
        comparisons.append(Comparison(figure, value, differences(literature, figure, ours)))
    return comparisons


def comparable_lines(comparisons: Sequence[Comparison], listed: Path) -> list[str]:
    """Write a line for each figure that is comparable, and one that says where the others are."""
    lines = [
        f"published, comparable: {c.figure.task} {c.figure.metric} {c.figure.value:.3f} "
        f"({c.figure.model}, {c.figure.source}, {c.figure.status}); ours {c.ours:.3f}"
        for c in comparisons
        if not c.differences
    ]
    if others := len(comparisons) - len(lines):
        lines.append(f"{others} published figures are not comparable: {listed} says why")
    return lines


def table_notes(ours: Ours, metrics: Sequence[str]) -> list[str]:
    """List the figures of a task for the notes of a table with these metrics, by what differs."""
    literature, notes = read_literature(), dict[str, list[str]]()
    for figure in literature.figures:
        if (figure.data_set, figure.task) == (ours.data_set, ours.task):
            metric = figure.metric if figure.metric in metrics else "/".join(metrics)
            found = "; ".join(differences(literature, figure, replace(ours, metric=metric)))
            text = f"{figure.metric} {figure.value:.3f} ({figure.model}, {figure.status})"
            notes.setdefault(found, []).append(text)
    return [
        f"Published, {f'not comparable ({found})' if found else 'comparable'}: {', '.join(texts)}."
        for found, texts in notes.items()
    ]


def cells_of(literature: Literature, figure: Figure) -> list[str]:
    """Write a figure as the cells of `HEADER`."""
    classes = literature.class_sets.get(figure.class_set or "")
    source = figure.source
    if figure.url:
        source = f"[{source}]({figure.url})"
    model = figure.model + (f", {figure.shots} labels a class" if figure.shots else "")
    return [
        f"{figure.task or 'task ' + NOT_SAID}, {figure.metric} {figure.value:.3f}",
        str(len(classes)) if classes else NOT_SAID,
        figure.split or NOT_SAID,
        model,
        " + ".join(figure.modalities) or NOT_SAID,
        source,
        figure.status + (f": {figure.note}" if figure.note else ""),
    ]


def literature_table() -> str:
    """Write all figures as a Markdown table, as docs/protocols.md holds it."""
    literature = read_literature()
    return _grid(HEADER, [cells_of(literature, figure) for figure in literature.figures])


def comparison_table(comparisons: Sequence[Comparison]) -> str:
    """Write the figures as a Markdown table, each with our score and what differs."""
    literature, lines = read_literature(), []
    for c in comparisons:
        ours = NOT_SAID if c.ours is None else f"{c.ours:.3f}"
        lines.append([*cells_of(literature, c.figure), ours, "; ".join(c.differences) or "none"])
    return _grid([*HEADER, "ours", "differs in"], lines)


def _grid(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(header)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *lines])
