"""Is it any good: test scores and differences with intervals, beside the paper's numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.comparison.estimates import (
    MEAN,
    Estimates,
    draw_resamples,
    estimate_tasks,
)
from pipeline.evaluation.comparison.paper import tables_of
from pipeline.evaluation.scores import SCORES, select
from pipeline.mtl import Task
from pipeline.report.material import Material

RESAMPLES = 1000
FEW = 20  # labels of a class; with fewer, resampling underestimates the role of chance
LABELS = {"f1": "F1", "hl": "HL", "map": "MAP", "accuracy": "accuracy"}
MINUS = "\u2212"
MISSING = "–"  # noqa: RUF001 - a dash that cannot be mistaken for a minus
MODEL = "this model"
WITHOUT = "this model, without test samples that share a tweet, photo or text with training"
SINGLE = "single_"  # before a modality: the baseline of that modality alone
BASELINES = {
    "best_single": "best single modality",
    "text_linear": "TF-IDF + logistic regression",
    "zero_shot": "zero-shot",
    "majority": "majority class",
}
# The paper prints no accuracy of a task, but that of each concept of the clips.
PAPER = "HGFN + DMTL, as the paper prints it"


@dataclass(frozen=True)
class Score:
    """A score and its 95 % interval; NaN if it is undefined or not known."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Line:
    """One model's scores: `scores[name]` for each name in `SCORES`.

    `lead` is that of the report's model over this one in MAP, known for a baseline; its interval is
    that of the paired difference, from the same resamples for both.
    """

    name: str
    title: str
    scores: Mapping[str, Score]
    lead: Score = Score()


@dataclass(frozen=True)
class ScoreTable:
    """The lines of one task, or of the means over tasks, with a note on them.

    `few`: some class has fewer than `FEW` test labels.
    """

    task: str
    note: str
    lines: Sequence[Line]
    few: bool = False

    @property
    def model(self) -> Line:
        """The line of the model that the report is about."""
        return self.lines[0]


def score_tables(material: Material) -> list[ScoreTable]:
    """Build the table of the means, then one a task; the numbers are those of metrics/."""
    estimates = _estimates(material)
    rare = {t.name: rare_note(t, material.truth[t.name][material.test]) for t in material.tasks}
    tasks = {task.name: f"{f1_note(task)} {rare[task.name]}" for task in material.tasks}
    scored = material.metrics[MEAN]["tasks"]
    means = f"Means over the {scored} tasks that have a positive test sample."
    paper = _paper_lines(material)
    few = {MEAN: any(rare.values()), **{name: bool(note) for name, note in rare.items()}}
    lines = {name: [*_own_lines(material, name, estimates), *paper.get(name, [])] for name in few}
    notes = {MEAN: means, **tasks}
    return [ScoreTable(name, notes[name], lines[name], few[name]) for name in few]


def _estimates(material: Material) -> dict[str, Estimates]:
    """Estimate the test scores of the model and of each baseline, from the same resamples."""
    groups = material.index["group"].iloc[material.test].tolist()
    resamples = draw_resamples(groups, 1, RESAMPLES)
    truth = select(material.truth, material.test)
    predicted = {MODEL: material.tested()} | {name: material.tested(name) for name in BASELINES}
    return {
        name: estimate_tasks(
            [task for task in material.tasks if task.name in decided],
            truth,
            [(probabilities, decided)],
            resamples,
        )
        for name, (probabilities, decided) in predicted.items()
        if decided
    }


def f1_note(task: Task) -> str:
    """Say in one sentence how a task's F1 is defined."""
    if task.positive is not None:
        return f"F1 is that of the class {task.classes[task.positive].replace('_', ' ')}."
    return f"F1 is the mean over the {len(task.classes)} classes."


def rare_note(task: Task, truth: np.ndarray) -> str:
    """Warn of a class with fewer than `FEW` of the test labels [n]; empty if there is none."""
    counts = np.bincount(truth[truth >= 0], minlength=len(task.classes))
    if counts.min() >= FEW:
        return ""
    label = task.classes[int(counts.argmin())].replace("_", " ")
    return (
        f"Only {counts.min()} of {counts.sum():,} test labels are {label}: scores that rest on so "
        "few are hints, and their intervals can be too narrow."
    )


def number(value: float, sign: str = "") -> str:
    """Write a score with three decimals, or a dash if it is undefined; `sign` "+" if it has one."""
    if math.isnan(value):
        return MISSING
    return f"{round(value, 3) + 0.0:{sign}.3f}".replace("-", MINUS)  # + 0.0: no negative zero


def best_baseline(table: ScoreTable) -> Line | None:
    """Return the baseline with the highest MAP; None if none has one.

    One over which the lead is known goes before others: means over other tasks say nothing here.
    """
    lines = [line for line in table.lines if line.name in BASELINES]
    known = [line for line in lines if not math.isnan(line.scores["map"].value)]
    compared = [line for line in known if not math.isnan(line.lead.value)]
    return max(compared or known, key=lambda line: line.scores["map"].value, default=None)


def verdict(table: ScoreTable) -> str:
    """Say in plain words whether the means' MAP is above the best baseline's."""
    own, best = table.model.scores["map"], best_baseline(table)
    if math.isnan(own.value):
        return "No test sample is positive in any task, so there is nothing to judge by."
    text = f"Mean average precision is {own.value:.3f}{_between(own)}."
    if best is None:
        return text
    text += f" The best baseline, {best.title}, reaches {best.scores['map'].value:.3f}"
    lead = best.lead
    if math.isnan(lead.low):
        return f"{text}; nothing here tells whether that is chance."
    text += f". This model's lead over it is {number(lead.value, '+')}{_between(lead, '+')}, so "
    if lead.low > 0:
        text += "the network adds something."
    elif lead.high < 0:
        text += "the baseline is better here."
    else:
        text += "these test samples do not tell the two apart."
    hint = f" Some classes have fewer than {FEW} test labels: take all intervals as hints."
    return text + hint * table.few


def _between(score: Score, sign: str = "") -> str:
    if math.isnan(score.low):
        return ""
    return f" (95 % interval {number(score.low, sign)} to {number(score.high, sign)})"


def _own_lines(material: Material, name: str, estimates: Mapping[str, Estimates]) -> list[Line]:
    own = estimates[MODEL]
    lines = [Line("model", MODEL, _scores(material.metrics[name], name, own))]
    if values := material.leak_free.get(name):
        lines.append(Line("without", WITHOUT, _scores(values, name, {})))
    for baseline, title in BASELINES.items():
        if not (values := material.baselines.get(baseline, {}).get(name)):
            continue
        of_baseline = estimates.get(baseline, {})
        scores = _scores(values, name, of_baseline)
        title = _baseline_title(material, baseline, title)
        lines.append(Line(baseline, title, scores, _lead(name, own, of_baseline)))
    return lines


def _scores(values: Mapping[str, float | int], name: str, estimates: Estimates) -> dict[str, Score]:
    """Join the values of a task (or MEAN), which are those of metrics/, with their intervals."""
    scores = {}
    for score, value in _values(values).items():
        estimate = estimates.get((name, score))
        interval = estimate.interval if estimate else ()
        scores[score] = Score() if math.isnan(value) else Score(value, *interval)
    return scores


def _lead(name: str, own: Estimates, other: Estimates) -> Score:
    """Return our own lead in MAP over a baseline; unknown for means over other tasks."""
    if (name, "map") not in other or (name == MEAN and own.keys() != other.keys()):
        return Score()
    difference = own[name, "map"] - other[name, "map"]
    return Score(difference.mean, *difference.interval)


def _values(scores: Mapping[str, float | int]) -> dict[str, float]:
    """Return the value of each score; the mean accuracy, which is not stored, is 1 - HL."""
    values = {score: float(scores.get(score, math.nan)) for score in SCORES}
    return values | {"accuracy": float(scores.get("accuracy", 1 - values["hl"]))}


def _baseline_title(material: Material, baseline: str, title: str) -> str:
    """Name the modality that is the best single one; `evaluate` copies its scores."""
    if baseline != "best_single":
        return title
    best = material.baselines[baseline]
    same = [
        name.removeprefix(SINGLE)
        for name, scores in material.baselines.items()
        if name.startswith(SINGLE) and scores == best
    ]
    return f"{title} ({same[0]})" if same else title


def _paper_lines(material: Material) -> dict[str, list[Line]]:
    """Return the paper's own row by task, for the data sets that it used."""
    if material.data.name not in ("crisismmd", "youtube"):
        return {}
    printed: dict[str, dict[str, Score]] = {}
    for table in tables_of(material.data.name, [task.name for task in material.tasks]):
        for column in table.columns:
            if (value := column.paper.get("hgfn_dmtl")) is not None:
                printed.setdefault(column.task, {})[column.score] = Score(value)
    nothing = {score: Score() for score in SCORES}
    return {task: [Line("paper", PAPER, nothing | scores)] for task, scores in printed.items()}
