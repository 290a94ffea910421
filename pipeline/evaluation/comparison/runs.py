"""The runs of `hgfn compare`: scores and costs of each row and seed, and the ranked rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.evaluation.comparison.cells import Cell, Problem, Training
from pipeline.evaluation.comparison.estimates import MEAN, Estimate
from pipeline.evaluation.comparison.report import NOTHING, Column, Facts, Report
from pipeline.evaluation.comparison.rows import VARIANTS, Row
from pipeline.evaluation.comparison.splits import Splits
from pipeline.evaluation.comparison.tuning import best_trial, validation_maps
from pipeline.evaluation.scores import (
    HALF,
    choose_thresholds,
    decide,
    has_positive,
    score_tasks,
    select,
    task_scores,
    unscored,
)

# The trainings of each row and seed, of which validation chooses one.
Trials = Mapping[tuple[Row, int], Sequence[Training]]

REFERENCE, OURS = Row("hgfn", "dmtl"), VARIANTS["ours"]
# Differences are relative to these, where they are compared: the reference, the control (what
# alignment alone gains), the row of ours, logistic regression, and that on the texts' words.
REFERENCES = (REFERENCE, Row("projected", "lsew"), OURS, Row(), Row(baseline="text_linear"))
CHEAPEST = Row("cfc", "lsew")  # times are relative to its
MAP, MACRO_F1 = Column(MEAN, "map", "MAP"), Column(MEAN, "macro_f1", "macro-F1")
MICRO_F1 = Column(MEAN, "micro_f1", "micro-F1")
HAMMING_LOSS = Column(MEAN, "hamming_loss", "Hamming loss")
BY_TASK = {"map": "MAP", "macro_f1": "macro-F1", "accuracy": "accuracy"}


def columns_of(problem: Problem) -> tuple[list[Column], list[Column]]:
    """Return the columns of means, and on a data set of the pipeline those of each task."""
    if not problem.texts:
        return [MAP, MACRO_F1, MICRO_F1, HAMMING_LOSS], []
    by_task = [
        Column(task.name, score, label)
        for task in problem.tasks
        for score, label in BY_TASK.items()
    ]
    return [MAP, MACRO_F1, HAMMING_LOSS], by_task


def key(column: Column) -> str:
    """The name of a column's score in runs: `map`, or `<task>.map`."""
    return column.score if column.task == MEAN else f"{column.task}.{column.score}"


def runs_table(
    problem: Problem,
    splits: Splits,
    columns: Sequence[Column],
    trials: Trials,
    cells: Mapping[Training, Cell],
    seconds: Mapping[str, float],
) -> pd.DataFrame:
    """Build a line for each row and seed: the trial with the best validation MAP, and all costs."""
    lines = []
    for (row, seed), trainings in trials.items():
        of_row = {training: cells[training] for training in trainings}
        examples = problem.of_seed(seed)
        truth = select(examples.targets, examples.rows("val"))
        best = best_trial(validation_maps(problem.tasks, truth, of_row))
        scores = run_scores(problem, seed, cells[best], row) if best else {}
        epochs = [cell.facts["epochs"] for cell in of_row.values() if "epochs" in cell.facts]
        line: dict[str, object] = {"row": row.name, "seed": seed}
        if splits.events:
            line["event"] = splits.named(seed)
        line["learning_rate"] = best.rate if best and row.fusion else math.nan
        line |= {key(column): scores.get(key(column), math.nan) for column in columns}
        line["parameters"] = cells[best].facts.get("parameters") if best else None
        line["epochs"] = sum(epochs) if epochs else None
        line["seconds"] = sum(seconds.get(training.name, math.nan) for training in trainings)
        lines.append(line)
    # Integers of which some are unknown: after a divergence, and for baselines.
    return pd.DataFrame(lines).astype({"parameters": "Int64", "epochs": "Int64"})


def run_scores(problem: Problem, seed: int, cell: Cell, row: Row) -> dict[str, float]:
    """Score the test rows: the means over the tasks that have a positive there, and each task.

    - `map` and `macro_f1`: F1 is that of a sigmoid task's one label, and else the mean over the
      classes. A sigmoid task's threshold is the one with the best F1 on validation.
    - `hamming_loss`: the fraction of wrong decisions at 0.5, where its expectation is least; a
      task's `accuracy` is 1 minus it.
    - `micro_f1`: F1 of all decisions pooled, if all tasks are sigmoid.
    """
    examples, tasks = problem.of_seed(seed), problem.tasks
    of_val, of_test = cell.sides(len(examples.rows("val")))
    known, truth = (select(examples.targets, examples.rows(side)) for side in ("val", "test"))
    # A threshold tuned on the majority's constant probability would change its decision.
    rule = "half" if row.baseline == "majority" else "validation"
    thresholds = choose_thresholds(tasks, known, of_val, rule)
    tuned = score_tasks(tasks, truth, of_test, thresholds)
    half = score_tasks(tasks, truth, of_test, dict.fromkeys(thresholds, HALF))
    scored = [task for task in tasks if has_positive(task, truth[task.name]).all()]
    scores: dict[str, float] = {}
    for task in scored:
        f1 = tuned[task.name]["f1" if task.head == "sigmoid" else "f1_macro"]
        scores |= {f"{task.name}.map": tuned[task.name]["map"], f"{task.name}.macro_f1": f1}
    macro_f1 = float(np.mean([scores[f"{task.name}.macro_f1"] for task in scored]))
    scores |= {"map": tuned["mean"]["map"], "macro_f1": macro_f1}
    scores["hamming_loss"] = half["mean"]["hl"]
    scores |= {f"{t.name}.accuracy": half[t.name].get("accuracy", math.nan) for t in tasks}
    if all(task.head == "sigmoid" for task in tasks):
        pooled = task_scores(
            scored[0],
            np.concatenate([truth[t.name] for t in scored]),
            np.concatenate([of_test[t.name] for t in scored]),
            np.concatenate([decide(t, of_test[t.name], thresholds[t.name]) for t in scored]),
        )
        scores["micro_f1"] = pooled["f1"]
    return scores


def unscored_notes(problem: Problem, splits: Splits) -> Iterator[str]:
    """Name the tasks without a positive row of validation or of test, and in which splits."""
    for side, split in (("validation", "val"), ("test", "test")):
        seeds: dict[str, list[int]] = {}
        for seed in splits.sides:
            examples = problem.of_seed(seed)
            for task in unscored(problem.tasks, select(examples.targets, examples.rows(split))):
                seeds.setdefault(task, []).append(seed)
        listed = ", ".join(
            f"{task} ({splits.unit}s {splits.named(*of)})" for task, of in seeds.items()
        )
        if listed:
            yield f"left out of the means, without a positive {side} row: {listed}"


def diverged_notes(cells: Mapping[Training, Cell]) -> list[str]:
    """Name the trainings that diverged."""
    failed = [training for training, cell in cells.items() if "failed" in cell.facts]
    if not failed:
        return []
    names = ", ".join(f"{t.row.title} (seed {t.seed}, rate {t.rate:g})" for t in failed)
    return [
        f"{len(failed)} of {len(cells)} trainings diverged and are not chosen; a row of which all "
        f"of a seed diverged has no scores: {names}"
    ]


def compared(
    title: str,
    columns: Sequence[Column],
    by_task: Sequence[Column],
    rows: Sequence[Row],
    runs: pd.DataFrame,
    overlap: float,
    notes: Sequence[str],
) -> Report:
    """Rank the rows by mean MAP, with intervals; `overlap` is n_test / n_train of random splits."""
    details = [column for column in by_task if runs[key(column)].notna().any()]
    estimates = {
        row: {
            (c.task, c.score): Estimate(_values(runs, row, c), overlap=overlap)
            for c in [*columns, *details]
        }
        for row in rows
    }
    # Rows without a mean come last.
    means = {row: values[MEAN, "map"].mean for row, values in estimates.items()}
    ranked = sorted(rows, key=lambda row: (math.isnan(means[row]), -means[row]))
    references = [row for row in REFERENCES if row in estimates]
    if alone := [row for row in ranked if row.view and not math.isnan(means[row])]:
        references.append(alone[0])
        best = f"{alone[0].title}: of the rows on one view the one with the best test MAP."
        notes = [*notes, best]
    by_rank = {row: estimates[row] for row in ranked}
    return Report(title, columns, by_rank, _facts(rows, runs), references, notes, details=details)


def _values(runs: pd.DataFrame, row: Row, column: Column) -> np.ndarray:
    """Return a row's scores, of a task those of the seeds in which it has a positive test row."""
    values = runs[key(column)]
    known = values.notna().groupby(runs["seed"]).transform("any") | (column.task == MEAN)
    return values[known & (runs["row"] == row.name)].to_numpy(float)


def _facts(rows: Sequence[Row], runs: pd.DataFrame) -> Mapping[Row, Facts]:
    facts = {}
    cheapest = runs.loc[runs["row"] == CHEAPEST.name, "seconds"].mean()
    for row in rows:
        of_row = runs[runs["row"] == row.name]
        rates = sorted(Counter(of_row["learning_rate"].dropna()).items())
        parameters, epochs = of_row["parameters"].dropna(), of_row["epochs"].dropna()
        seconds = of_row["seconds"].mean()
        facts[row] = {
            "learning_rates": ", ".join(f"{rate:g} ({n})" for rate, n in rates) or NOTHING,
            "parameters": int(parameters.iloc[0]) if len(parameters) else math.nan,
            "epochs": round(float(epochs.mean()), 1) if len(epochs) else math.nan,
            "seconds": round(seconds, 1),
            "relative_time": round(seconds / cheapest, 2),
        }
    return facts
