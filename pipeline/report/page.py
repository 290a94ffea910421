"""The page of a data set: one HTML file that asks no network for anything."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.evaluation.literature import Comparison, beside_ours
from pipeline.evaluation.scores import SCORES
from pipeline.explanation.probabilities import in_double
from pipeline.ground.data_set import DataSet
from pipeline.ground.failures import Failure
from pipeline.ground.messages import UNSAFE, escape
from pipeline.params import Params
from pipeline.report import drawing
from pipeline.report.learning import alone, contributions, fusion_levels, shares
from pipeline.report.material import Material, read_material
from pipeline.report.mistakes import by_event, by_pattern, mistakes_of
from pipeline.report.provenance import digests, encoders, provenance, warning
from pipeline.report.quality import (
    BASELINES,
    LABELS,
    MINUS,
    ScoreTable,
    number,
    score_tables,
    verdict,
)
from pipeline.report.samples import choose_rows, describe, least_sure, most_mistaken
from pipeline.training.examples import load_examples
from pipeline.training.model import load_model, read_config

TEMPLATES = Path(__file__).with_name("templates")
EXAMPLES = 12  # of failures
SENSES = {"visual": "pictures", "text": "texts", "audio": "sound"}
_UNSAFE = re.compile(UNSAFE)


def build_page(data: DataSet, params: Params) -> str:
    """Read a data set's results and its model, and write its page.

    The same files give the same text. Raises ValueError naming the file that is missing or of
    another run.
    """
    material = read_material(data)
    tables, facts = score_tables(material), read_config(Path("models") / data.name)
    values = {
        "name": data.name,
        "tasks": material.tasks,
        "test": len(material.test),
        "verdict": verdict(tables[0]),
        "warning": warning(facts),
        "facts": facts,
        "encoders": encoders(facts),
        "split": params.data.of(data.name).split,
        "counts": _counts(material),
        "tables": tables,
        "scores": SCORES,
        "labels": LABELS,
        "interval": _interval,
        "literature": _literature(material, params),
        "mistakes": mistakes_of(material),
        "events": by_event(material),
        "patterns": by_pattern(material),
        "reliability": drawing.reliability,
        "curves": drawing.curves,
        "failures": _by_kind(material.failures),
        "failed": len(material.failures),
        "provenance": provenance(Path("models") / data.name),
        "digests": digests(data),
    }
    return _environment().get_template("page.html").render(values | _of_network(material, params))


def _of_network(material: Material, params: Params) -> dict[str, Any]:
    """Compute what the page says of the network's inner life, and of single samples."""
    networks, spec = load_model(Path("models") / material.data.name)
    members = in_double(networks)
    features = {modality: material.data.features(modality) for modality in spec.modalities}
    pooled = spec.encoder == "pooled"
    examples = load_examples(material.index, material.tasks, features, pooled=pooled)
    decided = {task.name: material.decided(task)[material.test] for task in material.tasks}
    added = contributions(members, spec, examples, material.test, decided)
    rows, thumbnails = choose_rows(material, params.report.samples), params.report.thumbnails
    samples = describe(material, rows, thumbnails, added)
    return {
        "levels": fusion_levels(members, examples, material.test),
        "shares": shares(added),
        "alone": alone(material),
        "samples": samples,
        "thumbnails": thumbnails,
        "names": sorted({sample.event for sample in samples if sample.event}),
        "indices": {task.name: place for place, task in enumerate(material.tasks)},
        "mistaken": most_mistaken(samples),
        "unsure": least_sure(samples),
    }


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters |= {
        "score": number,
        "signed": _signed,
        "words": lambda name: name.replace("_", " "),
        "sense": lambda modality: SENSES.get(modality, modality),
        "size": "{:,}".format,
    }
    return environment


def _shown(value: Any) -> Any:
    """Make unsafe characters of a text visible as escapes; nothing else changes."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _UNSAFE.sub(escape, value)
    return value


def _signed(value: float) -> str:
    """Write a difference with its sign and two decimals; zero is positive."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", MINUS)


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
    return drawing.interval(own, others, f"MAP {number(own.value)}; {text}")


def _literature(material: Material, params: Params) -> list[Comparison]:
    name, shots = material.data.name, params.train.shots
    of_set = params.data.of(name)
    return beside_ours(name, of_set, material.index, material.tasks, material.metrics, shots)


def _by_kind(failures: Sequence[Failure]) -> list[tuple[str, str, int, list[Failure]]]:
    """Count the failures by modality and kind, with the first examples of each."""
    counts = Counter((failure.modality, failure.kind) for failure in failures)
    first = max(1, EXAMPLES // max(1, len(counts)))
    return [
        (*key, count, [f for f in failures if (f.modality, f.kind) == key][:first])
        for key, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
