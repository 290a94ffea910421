"""`hgfn compare`: networks, their variants and baselines on your own features or data set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.evaluation.comparison.cells import Problem, Settings, Training, read_cell
from pipeline.evaluation.comparison.estimates import MEAN
from pipeline.evaluation.comparison.report import NOTHING, Report, networks_note, write_report
from pipeline.evaluation.comparison.rows import Row, baseline_rows, compared_row, network_rows
from pipeline.evaluation.comparison.runner import read_seconds, run_trainings
from pipeline.evaluation.comparison.runs import (
    CHEAPEST,
    OURS,
    REFERENCE,
    columns_of,
    compared,
    diverged_notes,
    runs_table,
    unscored_notes,
)
from pipeline.evaluation.comparison.splits import (
    Omitted,
    Splits,
    divide,
    event_splits,
    omitted_notes,
    seed_splits,
)
from pipeline.evaluation.comparison.subject import Subject, read_subject
from pipeline.ground.csv_tables import write_csv
from pipeline.models.fusion import FUSIONS
from pipeline.mtl import METHODS
from pipeline.params import FusionParams, MTLParams, TrainParams

SEEDS = 5
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
        modalities=["visual", "text", "audio"],  # not used: the views are the subject's
    ),
)


def compare(
    name: str,
    seeds: int | None,
    out: Path,
    fusions: Sequence[str] | None,
    methods: Sequence[str] | None,
    rates: Sequence[float] | None,
    names: Sequence[str] | None,
    by: str | None,
) -> Iterator[str]:
    """Compare rows over the seeds 0, 1, ..., or `by` event; yields messages.

    `name` is an .npz or a data set of the pipeline; `names` are those of the rows, else see
    `_default_rows`. Of several learning rates each network takes the one with the best mean MAP on
    the validation rows of a split, as logistic regression takes the best of five penalties. A row
    of which all trainings of a seed diverged has no scores at all.

    The last messages rank the rows by mean MAP. Writes comparison.md, .csv and .png, runs.csv with
    the scores of each seed, and the cells, from which a later run resumes. Raises ValueError with
    one line for an unknown name, options that exclude each other, a rate that is no number above 0,
    a bad file, or an `out` with cells of other data, settings or code.
    """
    _check_options(seeds, fusions, methods, names, by)
    rates = _checked_rates(rates)
    subject = read_subject(name)
    try:
        splits = event_splits(subject) if by else seed_splits(subject, seeds or SEEDS)
        problem, omitted = divide(subject, splits)
    except ValueError as error:
        raise ValueError(f"{subject.place}: {error}") from None
    left_out = omitted_notes(omitted, splits)
    yield from left_out  # first, since a row may name a view of them
    rows = _named_rows(names, problem) if names else _default_rows(problem, fusions, methods)
    trials = {
        (row, seed): [Training(row, seed, rate) for rate in (rates if row.fusion else [0.0])]
        for seed in splits.sides
        for row in rows
    }
    trainings = [training for of_row in trials.values() for training in of_row]
    _check_labels(subject, splits, omitted, trainings, out)
    cells = run_trainings(problem, SETTINGS, trainings, out)
    columns, by_task = columns_of(problem)
    runs = runs_table(problem, splits, [*columns, *by_task], trials, cells, read_seconds(out))
    notes = [
        splits.note,
        _costs_note(rates, splits),
        *subject.notes,
        networks_note(SETTINGS, rows),
        *left_out,
        *unscored_notes(problem, splits),
        *diverged_notes(cells),
        "How to read scores, intervals and differences: docs/compare.md.",
    ]
    report = compared(subject.title(problem), columns, by_task, rows, runs, splits.overlap, notes)
    write_report(report, out, out, "comparison")
    write_csv(out / "runs.csv", runs)
    yield from _ranking_lines(report)
    yield f"written: {out / 'comparison.md'}"


def _ranking_lines(report: Report) -> Iterator[str]:
    width = max(len(row.title) for row in report.rows)
    for row, estimates in report.rows.items():
        mean = estimates[MEAN, "map"].mean
        yield f"{row.title:<{width}}  MAP {NOTHING if math.isnan(mean) else f'{mean:.3f}'}"


def _check_options(
    seeds: int | None,
    fusions: Sequence[str] | None,
    methods: Sequence[str] | None,
    names: Sequence[str] | None,
    by: str | None,
) -> None:
    if names and (fusions or methods):
        raise ValueError("--rows names all rows: leave out --fusion and --mtl")
    if by not in (None, "event"):
        raise ValueError(f"--by is {by!r}; allowed: event")
    if by and seeds is not None:
        raise ValueError("--by event has one split an event: leave out --seeds")
    _check_known("fusion", fusions or (), FUSIONS)
    _check_known("mtl", methods or (), METHODS)


def _check_known(option: str, names: Sequence[str], allowed: Iterable[str]) -> None:
    if unknown := [name for name in names if name not in allowed]:
        raise ValueError(f"--{option} is {unknown[0]!r}; allowed: {', '.join(allowed)}")


def _checked_rates(rates: Sequence[float] | None) -> list[float]:
    rates = sorted(set(rates or [SETTINGS.train.learning_rate]))
    if wrong := [rate for rate in rates if not 0 < rate < math.inf]:
        raise ValueError(f"--learning-rate is {wrong[0]:g}; allowed: numbers above 0")
    return rates


def _named_rows(names: Sequence[str], problem: Problem) -> list[Row]:
    """Return the rows of these names; a name may be a list with commas."""
    views, texts = list(problem.examples.sequences), bool(problem.texts)
    listed = [name.strip() for names_ in names for name in names_.split(",")]
    return list(dict.fromkeys(compared_row(name, views, texts) for name in listed))


def _default_rows(
    problem: Problem, fusions: Sequence[str] | None, methods: Sequence[str] | None
) -> list[Row]:
    """List the networks (see `network_rows`) with the reference, and the baselines.

    On a data set of the pipeline also the reference and the row of ours on each single modality.
    """
    networks = dict.fromkeys([REFERENCE, *network_rows(fusions or (), methods or ())])
    views = list(problem.examples.sequences)
    alone = [
        replace(row, view=view)
        for row in (REFERENCE, OURS)
        for view in views
        if problem.texts and len(views) > 1 and row in networks
    ]
    return [*networks, *alone, *baseline_rows(views, bool(problem.texts))]


def _check_labels(
    subject: Subject,
    splits: Splits,
    omitted: Omitted,
    trainings: Sequence[Training],
    out: Path,
) -> None:
    """Raise ValueError if a cell in `out` was trained with a label that is now left out.

    All rows then learn another set of labels, which happens when a further seed is requested.
    """
    seeds = {**{name: seed for (name, _), seed in omitted.classes.items()}, **omitted.tasks}
    tasks = [task for task in subject.problem.tasks if task.name in seeds]
    for training in trainings if tasks else []:
        cell = read_cell(out / "cells", training.name, tasks)
        if cell and cell.probabilities:
            label = next(iter(cell.probabilities))
            raise ValueError(
                f"{out / 'cells'}: the split of {splits.unit} {splits.named(seeds[label])} leaves "
                f"out {label}, or a class of it, with which these cells were trained, so all "
                "rows must be trained again; take another --out folder, or delete this one"
            )


def _costs_note(rates: Sequence[float], splits: Splits) -> str:
    unit, chosen = splits.unit, f"{rates[0]:g}"
    if len(rates) > 1:
        listed = ", ".join(f"{rate:g}" for rate in rates)
        chosen = f"the best of {listed} on validation, for each row and {unit}"
    return (
        f"Learning rate: {chosen}; in brackets, how many {unit}s took it. Epochs and seconds (the "
        f"processor's) are those of all trainings of a {unit}, the mean over {unit}s; relative "
        f"time is relative to {CHEAPEST.title}."
    )
