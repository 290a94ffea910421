"""`hgfn compare`: every fusion with every method, and logistic regression, on your own features."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.evaluation.comparison.cells import (
    Cell,
    Problem,
    Row,
    Settings,
    Training,
    read_cell,
)
from pipeline.evaluation.comparison.estimates import MEAN, Estimate, Estimates
from pipeline.evaluation.comparison.report import (
    NOTHING,
    Column,
    Report,
    networks_note,
    write_report,
)
from pipeline.evaluation.comparison.runner import read_seconds, run_trainings
from pipeline.evaluation.comparison.views import Views, read_views, split_views
from pipeline.evaluation.scores import label_scores
from pipeline.ground.csv_tables import write_csv
from pipeline.models.fusion import FUSIONS
from pipeline.mtl import METHODS, Task
from pipeline.params import FusionParams, MTLParams, TrainParams
from pipeline.training.examples import Examples

REFERENCE = Row("hgfn", "dmtl")
COLUMNS = (
    Column(MEAN, "map", "MAP"),
    Column(MEAN, "macro_f1", "macro-F1"),
    Column(MEAN, "micro_f1", "micro-F1"),
    Column(MEAN, "hamming_loss", "Hamming loss"),
)
_NO_SCORES = {column.score: math.nan for column in COLUMNS}
SETTINGS = Settings(
    FusionParams(name="hgfn", theta=0.5, width=64),
    MTLParams(name="dmtl", alpha=1.0, beta=2.0),
    TrainParams(
        learning_rate=1e-3,
        batch_size=64,
        max_epochs=100,
        patience=10,
        dropout=0.3,
        weight_decay=0.0,
        monitor="loss",
        modalities=["visual", "text", "audio"],  # not used: the views are the file's
    ),
)


def compare(
    path: Path,
    seeds: int,
    out: Path,
    fusions: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
) -> Iterator[str]:
    """Compare the chosen pairs (all, without a choice) over the seeds 0, 1, ...; yields messages.

    The last ones rank the rows by mean MAP. Writes comparison.md, .csv and .png, runs.csv with the
    scores of each seed, and the cells, from which a later run resumes. Raises ValueError with one
    line for an unknown name, a bad file, or an `out` with cells of other data, settings or code.
    A row of which a training diverged has no scores, and a note that says so.
    """
    fusions = _chosen("fusion", fusions, FUSIONS)
    methods = _chosen("mtl", methods, METHODS)
    views = read_views(path)
    try:
        views, splits, omitted = split_views(views, range(seeds))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    left_out = _left_out(omitted)
    yield from left_out
    rows = _rows(list(views.features), fusions, methods)
    rate = SETTINGS.train.learning_rate
    trainings = [
        Training(row, seed, rate if row.fusion else 0.0) for seed in splits for row in rows
    ]
    _check_labels(omitted, trainings, out)
    cells = run_trainings(view_problem(views, splits), SETTINGS, trainings, out)
    runs = pd.DataFrame(_runs(views, splits, cells, read_seconds(out)))
    runs = runs.astype({"parameters": "Int64"})  # unknown where a training diverged
    notes = [*_notes(views, seeds, rows), *left_out, *_diverged(cells)]
    report = _report(f"{path.stem}: {_size(views)}", rows, runs, notes)
    write_report(report, out, out, "comparison")
    write_csv(out / "runs.csv", runs)
    width = max(len(row.title) for row in report.rows)
    for row, estimates in report.rows.items():
        mean = estimates[MEAN, "map"].mean
        yield f"{row.title:<{width}}  MAP {NOTHING if math.isnan(mean) else f'{mean:.3f}'}"
    yield f"written: {out / 'comparison.md'}"


def _chosen(option: str, names: Sequence[str] | None, allowed: Iterable[str]) -> list[str]:
    if unknown := [name for name in names or () if name not in allowed]:
        raise ValueError(f"--{option} is {unknown[0]!r}; allowed: {', '.join(allowed)}")
    return [name for name in allowed if not names or name in names]


def _rows(views: Sequence[str], fusions: Sequence[str], methods: Sequence[str]) -> list[Row]:
    """List the reference and every pair, then logistic regression on all views and on each one."""
    pairs = [Row(fusion, mtl) for fusion in fusions for mtl in methods]
    single = [Row(view=view) for view in views] if len(views) > 1 else []
    return list(dict.fromkeys([REFERENCE, *pairs, Row(), *single]))


def _left_out(omitted: Mapping[str, int]) -> list[str]:
    if not omitted:
        return []
    labels = ", ".join(f"{label} (seed {seed})" for label, seed in omitted.items())
    return [f"labels left out (a training side lacks positives or negatives of it): {labels}"]


def _check_labels(omitted: Mapping[str, int], trainings: Sequence[Training], out: Path) -> None:
    """Raise ValueError if a cell in `out` was trained with a label that is now left out.

    All rows then learn another set of labels, which happens when a further seed is requested.
    """
    tasks = [_label_task(name) for name in omitted]
    for training in trainings if omitted else ():
        cell = read_cell(out / "cells", training.name, tasks)
        for label in cell.probabilities if cell else ():
            raise ValueError(
                f"{out / 'cells'}: the split of seed {omitted[label]} leaves out label {label}, "
                "with which these cells were trained, so all rows must be trained again; take "
                "another --out folder, or delete this one"
            )


def _label_task(name: str) -> Task:
    return Task(name, ("absent", "present"), negative="absent", head="sigmoid")


def view_problem(views: Views, splits: dict[int, np.ndarray]) -> Problem:
    """Make each label a task with one logit, and each view a sequence of one step, or of none."""
    sequences = {
        name: [row[None] if not np.isnan(row[0]) else row[None][:0] for row in values]
        for name, values in views.features.items()
    }
    targets = {name: views.labels[:, label] for label, name in enumerate(views.names)}
    ids = [str(row) for row in range(len(views.labels))]
    tasks = [_label_task(name) for name in views.names]
    examples = Examples(ids, next(iter(splits.values())), sequences, targets)
    return Problem(examples, tuple(tasks), "pooled", splits)


def _runs(
    views: Views,
    splits: dict[int, np.ndarray],
    cells: dict[Training, Cell],
    seconds: dict[str, float],
) -> Iterator[dict[str, object]]:
    for training, cell in cells.items():
        diverged = "failed" in cell.facts
        yield {
            "row": training.row.name,
            "seed": training.seed,
            **(_NO_SCORES if diverged else _scores(views, splits[training.seed], cell)),
            "parameters": cell.facts.get("parameters"),
            "seconds": seconds.get(training.name, math.nan),
        }


def _scores(views: Views, split: np.ndarray, cell: Cell) -> dict[str, float]:
    # The cell's rows: validation, then test.
    rows = np.concatenate([np.flatnonzero(split == side) for side in ("val", "test")])
    probabilities = np.stack([cell.probabilities[name][:, 1] for name in views.names], axis=1)
    return label_scores(views.labels[rows], probabilities, split[rows])


def _diverged(cells: Mapping[Training, Cell]) -> list[str]:
    failed = [training for training, cell in cells.items() if "failed" in cell.facts]
    if not failed:
        return []
    names = ", ".join(f"{t.row.title} (seed {t.seed})" for t in failed)
    return [f"{len(failed)} of {len(cells)} trainings diverged, their rows have no scores: {names}"]


def _report(title: str, rows: Sequence[Row], runs: pd.DataFrame, notes: Sequence[str]) -> Report:
    estimates: dict[Row, Estimates] = {}
    facts: dict[Row, dict[str, int | float]] = {}
    for row in rows:
        of_row = runs[runs["row"] == row.name]
        estimates[row] = {
            (MEAN, c.score): Estimate(of_row[c.score].to_numpy(float)) for c in COLUMNS
        }
        parameters = of_row["parameters"].dropna()
        facts[row] = {
            "parameters": int(parameters.iloc[0]) if len(parameters) else math.nan,
            "seconds": round(of_row["seconds"].mean(), 1),
        }
    # Rows without a mean come last.
    means = {row: values[MEAN, "map"].mean for row, values in estimates.items()}
    ranked = sorted(rows, key=lambda row: (math.isnan(means[row]), -means[row]))
    estimates = {row: estimates[row] for row in ranked}
    return Report(title, COLUMNS, estimates, facts, REFERENCE, notes)


def _size(views: Views) -> str:
    rows, labels = views.labels.shape
    widths = ", ".join(f"{name} {v.shape[1]}" for name, v in views.features.items())
    return f"{rows:,} rows, {labels} labels, views {widths}"


def _notes(views: Views, seeds: int, rows: Sequence[Row]) -> list[str]:
    split = "a 60/20/20 split of its own" if views.split is None else "the file's one split"
    return [
        f"Seeds: {seeds}, each with {split}; learning rate: {SETTINGS.train.learning_rate:g}.",
        networks_note(SETTINGS, rows),
        "How to read scores, intervals and differences: docs/compare.md.",
    ]
