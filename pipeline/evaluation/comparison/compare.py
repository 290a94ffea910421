"""`hgfn compare`: networks, their variants and logistic regression on your own features."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.evaluation.comparison.cells import Cell, Problem, Settings, Training, read_cell
from pipeline.evaluation.comparison.estimates import MEAN, Estimate, Estimates
from pipeline.evaluation.comparison.report import (
    NOTHING,
    Column,
    Report,
    networks_note,
    write_report,
)
from pipeline.evaluation.comparison.rows import VARIANTS, Row, network_rows
from pipeline.evaluation.comparison.runner import read_seconds, run_trainings
from pipeline.evaluation.comparison.tuning import best_trial, validation_maps
from pipeline.evaluation.comparison.views import (
    Views,
    label_task,
    read_views,
    split_views,
    view_problem,
    view_scores,
)
from pipeline.evaluation.scores import select, unscored
from pipeline.ground.csv_tables import write_csv
from pipeline.models.fusion import FUSIONS
from pipeline.mtl import METHODS
from pipeline.params import FusionParams, MTLParams, TrainParams

REFERENCE = Row("hgfn", "dmtl")
# Differences are relative to these, where they are compared: the reference, the control (what
# alignment alone gains), the row of ours and logistic regression.
REFERENCES = (REFERENCE, Row("projected", "lsew"), VARIANTS["ours"], Row())
CHEAPEST = Row("cfc", "lsew")  # times are relative to its
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
    rates: Sequence[float] | None = None,
) -> Iterator[str]:
    """Compare rows (see `network_rows`) over the seeds 0, 1, ...; yields messages.

    Of several learning rates each network takes the one with the best mean MAP on the validation
    rows of a split, as logistic regression takes the best of five penalties. A row without scores
    in a seed, since all its trainings diverged, has none at all.

    The last messages rank the rows by mean MAP. Writes comparison.md, .csv and .png, runs.csv with
    the scores of each seed, and the cells, from which a later run resumes. Raises ValueError with
    one line for an unknown name, a rate that is no number above 0, a bad file, or an `out` with
    cells of other data, settings or code.
    """
    rates = sorted(set(rates or [SETTINGS.train.learning_rate]))
    if wrong := [rate for rate in rates if not 0 < rate < math.inf]:
        raise ValueError(f"--learning-rate is {wrong[0]:g}; allowed: numbers above 0")
    networks = network_rows(
        _checked("fusion", fusions or (), FUSIONS), _checked("mtl", methods or (), METHODS)
    )
    views = read_views(path)
    try:
        views, splits, omitted = split_views(views, range(seeds))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    left_out = _left_out(omitted)
    yield from left_out
    single = [Row(view=view) for view in views.features] if len(views.features) > 1 else []
    rows = list(dict.fromkeys([REFERENCE, *networks, Row(), *single]))
    trials = {
        (row, seed): [Training(row, seed, rate) for rate in (rates if row.fusion else [0.0])]
        for seed in splits
        for row in rows
    }
    trainings = [training for of_row in trials.values() for training in of_row]
    _check_labels(omitted, trainings, out)
    problem = view_problem(views, splits)
    cells = run_trainings(problem, SETTINGS, trainings, out)
    runs = pd.DataFrame(_runs(problem, trials, cells, read_seconds(out)))
    runs = runs.astype({"parameters": "Int64", "epochs": "Int64"})  # unknown after divergence
    overlap = _overlap(splits) if views.split is None else 0.0
    notes = [
        *_notes(seeds, overlap, rates, rows),
        *left_out,
        *_unscored(problem, "validation", "val"),
        *_unscored(problem, "test", "test"),
        *_diverged(cells),
    ]
    report = _report(f"{path.stem}: {_size(views)}", rows, runs, overlap, notes)
    write_report(report, out, out, "comparison")
    write_csv(out / "runs.csv", runs)
    width = max(len(row.title) for row in report.rows)
    for row, estimates in report.rows.items():
        mean = estimates[MEAN, "map"].mean
        yield f"{row.title:<{width}}  MAP {NOTHING if math.isnan(mean) else f'{mean:.3f}'}"
    yield f"written: {out / 'comparison.md'}"


def _checked(option: str, names: Sequence[str], allowed: Iterable[str]) -> Sequence[str]:
    if unknown := [name for name in names if name not in allowed]:
        raise ValueError(f"--{option} is {unknown[0]!r}; allowed: {', '.join(allowed)}")
    return names


def _left_out(omitted: Mapping[str, int]) -> list[str]:
    if not omitted:
        return []
    labels = ", ".join(f"{label} (seed {seed})" for label, seed in omitted.items())
    return [f"labels left out (a training side lacks positives or negatives of it): {labels}"]


def _check_labels(omitted: Mapping[str, int], trainings: Sequence[Training], out: Path) -> None:
    """Raise ValueError if a cell in `out` was trained with a label that is now left out.

    All rows then learn another set of labels, which happens when a further seed is requested.
    """
    tasks = [label_task(name) for name in omitted]
    for training in trainings if omitted else ():
        cell = read_cell(out / "cells", training.name, tasks)
        for label in cell.probabilities if cell else ():
            raise ValueError(
                f"{out / 'cells'}: the split of seed {omitted[label]} leaves out label {label}, "
                "with which these cells were trained, so all rows must be trained again; take "
                "another --out folder, or delete this one"
            )


def _overlap(splits: Mapping[int, np.ndarray]) -> float:
    """Return n_test / n_train, the mean over the splits."""
    ratios = [(split == "test").sum() / (split == "train").sum() for split in splits.values()]
    return float(np.mean(ratios))


def _runs(
    problem: Problem,
    trials: Mapping[tuple[Row, int], Sequence[Training]],
    cells: Mapping[Training, Cell],
    seconds: Mapping[str, float],
) -> Iterator[dict[str, object]]:
    """Yield a line for each row and seed: the trial with the best validation MAP, and all costs."""
    for (row, seed), trainings in trials.items():
        examples, of_row = problem.of_seed(seed), {t: cells[t] for t in trainings}
        truth = select(examples.targets, examples.rows("val"))
        best = best_trial(validation_maps(problem.tasks, truth, of_row))
        epochs = [cell.facts["epochs"] for cell in of_row.values() if "epochs" in cell.facts]
        yield {
            "row": row.name,
            "seed": seed,
            "learning_rate": best.rate if best and row.fusion else math.nan,
            **(view_scores(problem, seed, cells[best]) if best else _NO_SCORES),
            "parameters": cells[best].facts["parameters"] if best else None,
            "epochs": sum(epochs) if epochs else None,
            "seconds": sum(seconds.get(training.name, math.nan) for training in trainings),
        }


def _unscored(problem: Problem, side: str, split: str) -> list[str]:
    """Name the labels without a positive row of this side, and in which seeds."""
    seeds: dict[str, list[str]] = {}
    for seed in problem.splits:
        examples = problem.of_seed(seed)
        for label in unscored(problem.tasks, select(examples.targets, examples.rows(split))):
            seeds.setdefault(label, []).append(str(seed))
    labels = ", ".join(f"{label} (seeds {', '.join(of)})" for label, of in seeds.items())
    return [f"left out of the means, without a positive {side} row: {labels}"] if labels else []


def _diverged(cells: Mapping[Training, Cell]) -> list[str]:
    failed = [training for training, cell in cells.items() if "failed" in cell.facts]
    if not failed:
        return []
    names = ", ".join(f"{t.row.title} (seed {t.seed}, rate {t.rate:g})" for t in failed)
    return [
        f"{len(failed)} of {len(cells)} trainings diverged and are not chosen; a row of which all "
        f"of a seed diverged has no scores: {names}"
    ]


def _report(
    title: str, rows: Sequence[Row], runs: pd.DataFrame, overlap: float, notes: Sequence[str]
) -> Report:
    estimates: dict[Row, Estimates] = {}
    facts: dict[Row, dict[str, int | float | str]] = {}
    cheapest = runs.loc[runs["row"] == CHEAPEST.name, "seconds"].mean()
    for row in rows:
        of_row = runs[runs["row"] == row.name]
        estimates[row] = {
            (MEAN, c.score): Estimate(of_row[c.score].to_numpy(float), overlap=overlap)
            for c in COLUMNS
        }
        rates = Counter(of_row["learning_rate"].dropna())
        parameters, epochs = of_row["parameters"].dropna(), of_row["epochs"].dropna()
        facts[row] = {
            "learning_rates": ", ".join(f"{r:g} ({n})" for r, n in sorted(rates.items()))
            or NOTHING,
            "parameters": int(parameters.iloc[0]) if len(parameters) else math.nan,
            "epochs": round(float(epochs.mean()), 1) if len(epochs) else math.nan,
            "seconds": round(of_row["seconds"].mean(), 1),
            "relative_time": round(of_row["seconds"].mean() / cheapest, 2),
        }
    # Rows without a mean come last.
    means = {row: values[MEAN, "map"].mean for row, values in estimates.items()}
    ranked = sorted(rows, key=lambda row: (math.isnan(means[row]), -means[row]))
    estimates = {row: estimates[row] for row in ranked}
    references = [row for row in REFERENCES if row in estimates]
    return Report(title, COLUMNS, estimates, facts, references, notes)


def _size(views: Views) -> str:
    rows, labels = views.labels.shape
    widths = ", ".join(f"{name} {v.shape[1]}" for name, v in views.features.items())
    return f"{rows:,} rows, {labels} labels, views {widths}"


def _notes(seeds: int, overlap: float, rates: Sequence[float], rows: Sequence[Row]) -> list[str]:
    if overlap:
        split = "a 60/20/20 split of its own"
        intervals = (
            f"t with variance (1/{seeds} + {overlap:.2f}) s^2, since the splits share rows (Nadeau "
            "and Bengio 2003)"
        )
    else:
        split = "the file's one split"
        intervals = "t over the seeds, which does not say how much another split would change"
    chosen = f"{rates[0]:g}"
    if len(rates) > 1:
        listed = ", ".join(f"{rate:g}" for rate in rates)
        chosen = f"the best of {listed} on validation, for each row and seed"
    return [
        f"Seeds: {seeds}, each with {split}. Intervals: {intervals}.",
        f"Learning rate: {chosen}; in brackets, how many seeds took it. Epochs and seconds (the "
        "processor's) are those of all trainings of a seed, the mean over seeds; relative time is "
        f"relative to {CHEAPEST.title}.",
        networks_note(SETTINGS, rows),
        "How to read scores, intervals and differences: docs/compare.md.",
    ]
