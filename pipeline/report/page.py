"""The page: one HTML file that asks no network for anything."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.evaluation.literature import Comparison
from pipeline.evaluation.plots import precision_recall
from pipeline.evaluation.scores import SCORES
from pipeline.ground.failures import Failure
from pipeline.ground.messages import UNSAFE, escape
from pipeline.report import drawing
from pipeline.report.learning import Level
from pipeline.report.material import Material
from pipeline.report.mistakes import by_event, by_pattern, mistakes_of
from pipeline.report.provenance import digests, encoders, provenance, warning
from pipeline.report.quality import BASELINES, LABELS, MISSING, ScoreTable, score_tables, verdict
from pipeline.report.samples import Contributions, Sample

TEMPLATES = Path(__file__).with_name("templates")
EXAMPLES = 12  # of failures
BRIEF = 6  # lines of the lists of mistakes and of unsure samples
SENSES = {"visual": "pictures", "text": "texts", "audio": "sound"}
MINUS = "\u2212"
_UNSAFE = re.compile(UNSAFE)


@dataclass(frozen=True)
class Findings:
    """What a report shows beside the material: what was computed with the network, and chosen."""

    facts: Mapping[str, Any]
    levels: Sequence[Level]
    contributions: Contributions
    samples: Sequence[Sample]
    literature: Sequence[Comparison]
    thumbnails: bool
    split: str


def write_page(material: Material, findings: Findings) -> str:
    """Write the page; the same material and findings give the same text."""
    tables = score_tables(material)
    mistakes = mistakes_of(material)
    return (
        _environment()
        .get_template("page.html")
        .render(
            name=material.data.name,
            facts=findings.facts,
            encoders=encoders(findings.facts),
            warning=warning(findings.facts),
            counts=_counts(material),
            verdict=verdict(tables[0]),
            tables=tables,
            scores=SCORES,
            labels=LABELS,
            interval=_interval,
            literature=findings.literature,
            mistakes=mistakes,
            events=by_event(material),
            patterns=by_pattern(material),
            tasks=material.tasks,
            reliability=drawing.reliability,
            curves=lambda task: _curves(material, task),
            levels=findings.levels,
            shares=_shares(findings.contributions),
            alone=_alone(material),
            samples=findings.samples,
            thumbnails=findings.thumbnails,
            split=findings.split,
            test=len(material.test),
            names=sorted({sample.event for sample in findings.samples if sample.event}),
            indices={task.name: number for number, task in enumerate(material.tasks)},
            mistaken=_mistaken(findings.samples),
            unsure=_unsure(findings.samples),
            worst=attrgetter("worst"),
            doubted=attrgetter("doubted"),
            failures=_by_kind(material.failures),
            failed=len(material.failures),
            provenance=provenance(Path("models") / material.data.name),
            digests=digests(material.data),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
    )
    environment.filters |= {
        "score": score,
        "signed": signed,
        "words": words,
        "sense": lambda modality: SENSES.get(modality, modality),
        "size": "{:,}".format,
    }
    return environment


def shown(value: Any) -> Any:
    """Make unsafe characters of a text visible as escapes; nothing else changes."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _UNSAFE.sub(escape, value)
    return value


def score(value: float) -> str:
    """Write a score with three decimals, or a dash where it is undefined."""
    return MISSING if math.isnan(value) else f"{value:.3f}"


def signed(value: float) -> str:
    """Write a difference with its sign and two decimals; the sign of nothing is a plus."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", MINUS)


def words(name: str) -> str:
    """Write a name such as `flood_storm` as words."""
    return name.replace("_", " ")


def _counts(material: Material) -> dict[str, Any]:
    """Count the samples of each side, and each task's labelled ones."""
    sides = ("train", "val", "test")
    split = material.index["split"].to_numpy(str)
    return {
        "sides": {side: int((split == side).sum()) for side in sides},
        "tasks": [
            (task, [int((material.truth[task.name][split == side] >= 0).sum()) for side in sides])
            for task in material.tasks
        ],
    }


def _interval(table: ScoreTable) -> Markup:
    """Draw MAP with its interval; the baselines are ticks."""
    own = table.model.scores["map"]
    known = [line for line in table.lines if not math.isnan(line.scores["map"].value)]
    others = [(line.title, line.scores["map"].value) for line in known if line.name in BASELINES]
    text = ", ".join(f"{title} {value:.3f}" for title, value in others)
    return drawing.interval(own, others, f"MAP {score(own.value)}; {text}")


def _curves(material: Material, task: Any) -> tuple[Markup, list[str]]:
    """Draw a task's curves; returns the picture and the classes in the order of the colours."""
    truth = material.truth[task.name][material.test]
    table = precision_recall(task, truth, material.probabilities(task)[material.test])
    lines = [
        (
            str(label),
            curve["recall"].to_numpy(float)[::-1],
            curve["precision"].to_numpy(float)[::-1],
        )
        for label, curve in table.groupby("class", sort=False)
    ]
    label = f"Precision against recall of {task.name}, a curve for each class"
    return drawing.curves(lines, label), [label for label, _, _ in lines]


def _alone(material: Material) -> list[tuple[str, list[float]]]:
    """Return each modality's MAP alone: of the means, then of each task."""
    names = ["mean", *(task.name for task in material.tasks)]
    return [
        (
            baseline.removeprefix("single_"),
            [float(scores.get(name, {}).get("map", math.nan)) for name in names],
        )
        for baseline, scores in material.baselines.items()
        if baseline.startswith("single_")
    ]


def _shares(contributions: Contributions) -> list[tuple[str, dict[str, float]]]:
    """Return by task the mean size of each modality's Shapley value."""
    return [
        (task, {modality: float(np.abs(v).mean()) for modality, v in values.items()})
        for task, values in contributions.items()
    ]


def _mistaken(samples: Sequence[Sample]) -> list[Sample]:
    wrong = [sample for sample in samples if sample.worst]
    return sorted(wrong, key=lambda sample: (-sample.mistake, sample.place))[:BRIEF]


def _unsure(samples: Sequence[Sample]) -> list[Sample]:
    return sorted(samples, key=lambda sample: (sample.doubted.confidence, sample.place))[:BRIEF]


def _by_kind(failures: Sequence[Failure]) -> list[tuple[str, str, int, list[Failure]]]:
    """Count the failures by modality and kind, with the first examples of each."""
    counts = Counter((failure.modality, failure.kind) for failure in failures)
    first = max(1, EXAMPLES // max(1, len(counts)))
    return [
        (*key, count, [f for f in failures if (f.modality, f.kind) == key][:first])
        for key, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
