"""README.md of a model's folder: a model card, after Mitchell et al. 2019."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation.comparison.estimates import (
    MEAN,
    Estimate,
    Estimates,
    draw_resamples,
    estimate_tasks,
)
from pipeline.evaluation.model_folder import Decisions
from pipeline.evaluation.predictions import decided
from pipeline.evaluation.scores import MEANS, SCORES, Arrays, Scores, select
from pipeline.ground.temporaries import write_text
from pipeline.inputs.feature_file import FeatureFile
from pipeline.training.examples import Examples
from pipeline.training.model import ModelSpec

FILE = "README.md"
RESAMPLES = 1000
LEAKS = {
    "grouped": "One split for all tasks; a tweet or clip, its near-duplicates and its group are "
    "never on two sides.",
    "event": "The test side is one event, which training and validation do not have.",
}
OFFICIAL = (
    "The authors' split, which leaks: test samples share a tweet, photo or text with training "
    "(`without_near_duplicates` in the metrics leaves them out)."
)


@dataclass(frozen=True)
class Card:
    """What a card is written from; `baselines` and `provenance` as the files hold them."""

    name: str
    spec: ModelSpec
    files: Mapping[str, FeatureFile]
    index: pd.DataFrame
    split: str
    examples: Examples
    probabilities: Arrays
    decisions: Decisions
    scores: Mapping[str, Scores]
    baselines: Mapping[str, Mapping[str, Scores]]
    provenance: Mapping[str, Any]

    @property
    def test(self) -> np.ndarray:
        """Row numbers of the test side."""
        return self.examples.rows("test")

    @cached_property
    def decided(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Each task's labels and decisions on the test side."""
        truth = select(self.examples.targets, self.test)
        probabilities = select(self.probabilities, self.test)
        thresholds = self.decisions.thresholds
        return {
            task.name: (
                truth[task.name],
                decided(task, probabilities[task.name], thresholds[task.name]),
            )
            for task in self.spec.tasks
        }


def write_card(folder: Path, card: Card) -> None:
    """Write README.md into the model's folder."""
    sections = {
        "Data": _data(card),
        "Test scores": _scores(card),
        "Per class": _classes(card),
        "Per event": _events(card),
        "Calibration": _calibration(card),
        "What it must not be used for": _limits(card),
        "Use": _use(card),
    }
    parts = ["\n".join(_what(card))]
    parts += ["\n".join([f"## {title}", "", *lines]) for title, lines in sections.items()]
    write_text(folder / FILE, "\n\n".join(parts) + "\n")


def _what(card: Card) -> Iterator[str]:
    spec = card.spec
    networks = f"{spec.members} networks, averaged" if spec.members > 1 else "one network"
    yield f"# {card.name}: {spec.fusion.name} + {spec.mtl.name}"
    yield ""
    yield (
        f"A multi-task classifier of {_listed(spec.modalities)}: {networks}, of fusion "
        f"`{spec.fusion.name}` and multi-task method `{spec.mtl.name}`. A modality may be missing."
    )
    yield ""
    for modality, file in card.files.items():
        encoder, origin = (file.source.get(key, "?") for key in ("encoder", "weights_origin"))
        yield f"- {modality}: `{encoder}`, weights {origin}"
    for task in spec.tasks:
        yield f"- task `{task.name}`: {', '.join(task.classes)}"
    if _untrained(card):
        yield ""
        yield (
            f"**The encoders of {_listed(_untrained(card))} have random weights. The scores say "
            "that the pipeline works, and nothing about disasters.**"
        )


def _data(card: Card) -> Iterator[str]:
    licence = card.provenance["licence"] or "not stated by the source"
    yield f"Source: `{card.provenance['source']}`; licence: {licence}."
    yield LEAKS.get(card.split, OFFICIAL)
    yield ""
    rows = []
    for name, sides in card.provenance["counts"].items():
        title = name if name == "samples" else f"labelled {name}"
        rows.append([title, *(f"{count:,}" for count in sides.values())])
    yield from _table(["", "train", "val", "test"], rows)


def _scores(card: Card) -> Iterator[str]:
    yield (
        "With 95 % intervals from 1,000 resamples of the groups of test samples. They hold the "
        "chance of which samples are tested, not that of training."
    )
    yield ""
    estimates = _estimates(card)
    tasks = [task.name for task in card.spec.tasks]
    rows = [
        [name, *(_interval(card.scores[name], score, estimates[name, score]) for score in SCORES)]
        for name in [*tasks, MEAN]
    ]
    rows += [
        [f"mean: {baseline}", *(_number(scores[MEAN].get(score)) for score in SCORES)]
        for baseline, scores in card.baselines.items()
    ]
    yield from _table(["", *(score.upper() for score in MEANS), "accuracy"], rows)


def _classes(card: Card) -> Iterator[str]:
    rows = []
    for task in card.spec.tasks:
        truth, predicted = card.decided[task.name]
        for code, label in enumerate(task.classes):
            hits = int(((truth == code) & (predicted == code)).sum())
            support = int((truth == code).sum())
            selected = int(((predicted == code) & (truth >= 0)).sum())
            precision, recall = _share(hits, selected), _share(hits, support)
            rows.append([f"{task.name}: {label}", precision, recall, f"{support:,}"])
    yield from _table(["test labels", "precision", "recall", "support"], rows)


def _events(card: Card) -> Iterator[str]:
    events = card.index["event"].iloc[card.test].reset_index(drop=True)
    if events.isna().all():
        yield "The data name no event."
        return
    sides = {event: events == event for event in sorted(events.dropna().unique())}
    if events.isna().any():
        sides["(no event)"] = events.isna()
    rows = []
    for event, side in sides.items():
        here = side.fillna(False).to_numpy(bool)
        cells = []
        for truth, predicted in card.decided.values():
            known = here & (truth >= 0)
            right, total = int((truth == predicted)[known].sum()), int(known.sum())
            cells.append(f"{_share(right, total)} of {total:,}" if total else "")
        rows.append([event, *cells])
    yield from _table(["accuracy on test", *(task.name for task in card.spec.tasks)], rows)


def _calibration(card: Card) -> Iterator[str]:
    yield (
        "A confidence is the probability of the decision after division of the logits by a "
        "temperature fitted on validation (1: too few labels). Expected calibration error (ECE) "
        "and Brier score on test:"
    )
    yield ""
    rows = []
    for task in card.spec.tasks:
        scores = card.scores[task.name]
        pairs = [
            f"{_number(scores.get(key))} to {_number(scores.get(f'{key}_calibrated'))}"
            for key in ("ece", "brier")
        ]
        decision = card.decisions.tasks[task.name]
        rows.append([task.name, f"{decision.temperature:g}", *pairs, f"{decision.threshold:.3f}"])
    yield from _table(["", "temperature", "ECE", "Brier", "threshold"], rows)
    yield ""
    yield f"A prediction is `unsure` if a confidence is below {card.decisions.unsure_below:g}."


def _limits(card: Card) -> Iterator[str]:
    yield "- Decisions about people's safety or aid without a person who looks at the post."
    yield "- Other kinds of events, languages, places or years than those of the data above,"
    yield "  before it was evaluated there (`data.crisismmd.split: event` shows what is lost)."
    yield "- Identifying, locating or judging persons. What a post says may be false."
    if card.provenance["licence"] is None:
        yield "- Anything that the licence of the data, which the source does not state, forbids."


def _use(card: Card) -> Iterator[str]:
    yield "```sh"
    yield f'hgfn predict models/{card.name} --text "..." --image photo.jpg'
    yield f"hgfn predict models/{card.name} posts.csv --out predictions.csv"
    yield "```"
    yield ""
    yield "`provenance.json` says exactly what made it: commit, parameters, versions, digests."


def _estimates(card: Card) -> Estimates:
    groups = card.index["group"].iloc[card.test].tolist()
    truth = {name: labels for name, (labels, _) in card.decided.items()}
    decisions = {name: codes for name, (_, codes) in card.decided.items()}
    predictions = [(select(card.probabilities, card.test), decisions)]
    resamples = draw_resamples(groups, 1, RESAMPLES)
    return estimate_tasks(card.spec.tasks, truth, predictions, resamples)


def _untrained(card: Card) -> list[str]:
    return [m for m, f in card.files.items() if f.source.get("weights_origin") == "untrained"]


def _interval(scores: Scores, score: str, estimate: Estimate) -> str:
    value = scores.get(score)
    low, high = estimate.interval
    if value is None or math.isnan(low):
        return _number(value)
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else ""


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table: the first column to the left, numbers to the right."""
    yield f"| {' | '.join(header)} |"
    yield f"|{'|'.join(['---', *(['--:'] * (len(header) - 1))])}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
