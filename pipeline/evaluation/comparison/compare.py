"""`hgfn compare`: every fusion with every method, and logistic regression, on your own features."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.evaluation.comparison.cells import Cell, Problem, Row, Settings, Training
from pipeline.evaluation.comparison.estimates import MEAN, Estimate, Estimates
from pipeline.evaluation.comparison.report import Column, Report, write_report
from pipeline.evaluation.comparison.runner import read_seconds, run_trainings
from pipeline.evaluation.comparison.views import Views, read_views, split_views
from pipeline.evaluation.scores import label_scores
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
    """
    fusions = _chosen("fusion", fusions, FUSIONS)
    methods = _chosen("mtl", methods, METHODS)
    views = read_views(path)
    try:
        views, splits, message = split_views(views, range(seeds))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if message:
        yield message
    rows = _rows(list(views.features), fusions, methods)
    rate = SETTINGS.train.learning_rate
    trainings = [
        Training(row, seed, rate if row.fusion else 0.0) for seed in splits for row in rows
    ]
    cells = run_trainings(view_problem(views, splits), SETTINGS, trainings, out)
    runs = pd.DataFrame(_runs(views, splits, cells, read_seconds(out)))
    report = _report(f"{path.stem}: {_size(views)}", rows, runs, _notes(views, seeds))
    write_report(report, out, out, "comparison")
    runs.to_csv(out / "runs.csv", index=False, lineterminator="\n")
    width = max(len(row.title) for row in report.rows)
    for row, estimates in report.rows.items():
        yield f"{row.title:<{width}}  MAP {estimates[MEAN, 'map'].mean:.3f}"
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


def view_problem(views: Views, splits: dict[int, np.ndarray]) -> Problem:
    """Make each label a task with one logit, and each view a sequence of one step, or of none."""
    sequences = {
        name: [row[None] if not np.isnan(row[0]) else row[None][:0] for row in values]
        for name, values in views.features.items()
    }
    targets = {name: views.labels[:, label] for label, name in enumerate(views.names)}
    ids = [str(row) for row in range(len(views.labels))]
    tasks = [
        Task(name, ("absent", "present"), negative="absent", head="sigmoid") for name in views.names
    ]
    examples = Examples(ids, next(iter(splits.values())), sequences, targets)
    return Problem(examples, tuple(tasks), "pooled", splits)


def _runs(
    views: Views,
    splits: dict[int, np.ndarray],
    cells: dict[Training, Cell],
    seconds: dict[str, float],
) -> Iterator[dict[str, object]]:
    for training, cell in cells.items():
        if "failed" in cell.facts:
            raise ValueError(f"{training.row.title}, seed {training.seed}: {cell.facts['failed']}")
        split = splits[training.seed]
        # The cell's rows: validation, then test.
        rows = np.concatenate([np.flatnonzero(split == side) for side in ("val", "test")])
        scores = np.stack([cell.probabilities[name][:, 1] for name in views.names], axis=1)
        yield {
            "row": training.row.name,
            "seed": training.seed,
            **label_scores(views.labels[rows], scores, split[rows]),
            "parameters": cell.facts["parameters"],
            "seconds": seconds.get(training.name, math.nan),
        }


def _report(title: str, rows: Sequence[Row], runs: pd.DataFrame, notes: Sequence[str]) -> Report:
    by_row = {row: runs[runs["row"] == row.name] for row in rows}
    rows = sorted(rows, key=lambda row: -by_row[row]["map"].mean())
    estimates: dict[Row, Estimates] = {}
    facts: dict[Row, dict[str, int | float]] = {}
    for row in rows:
        of_row = by_row[row]
        estimates[row] = {
            (MEAN, c.score): Estimate(of_row[c.score].to_numpy(float)) for c in COLUMNS
        }
        facts[row] = {
            "parameters": int(of_row["parameters"].iloc[0]),
            "seconds": round(of_row["seconds"].mean(), 1),
        }
    return Report(title, COLUMNS, estimates, facts, REFERENCE, notes)


def _size(views: Views) -> str:
    rows, labels = views.labels.shape
    widths = ", ".join(f"{name} {v.shape[1]}" for name, v in views.features.items())
    return f"{rows:,} rows, {labels} labels, views {widths}"


def _notes(views: Views, seeds: int) -> list[str]:
    split = "a 60/20/20 split of its own" if views.split is None else "the file's one split"
    train, fusion, mtl = SETTINGS.train, SETTINGS.fusion, SETTINGS.mtl
    return [
        f"Seeds: {seeds}, each with {split}. All networks: learning rate {train.learning_rate:g}, "
        f"batch {train.batch_size}, width {fusion.width}, dropout {train.dropout:g}, weight decay "
        f"{train.weight_decay:g}, at most {train.max_epochs} epochs, patience {train.patience}; "
        f"DMTL with alpha {mtl.alpha:g}, beta {mtl.beta:g}.",
        "How to read scores, intervals and differences: docs/compare.md.",
    ]
