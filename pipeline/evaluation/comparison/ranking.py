"""A comparison's report: columns, references, ranks and costs of the rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.evaluation.comparison.cells import Problem
from pipeline.evaluation.comparison.estimates import MEAN, Estimate, Estimates
from pipeline.evaluation.comparison.report import NOTHING, Column, Report
from pipeline.evaluation.comparison.rows import VARIANTS, Row
from pipeline.evaluation.comparison.runs import key

REFERENCE, OURS = Row("hgfn", "dmtl"), VARIANTS["ours"]
# Differences are relative to these, where they are compared: the reference, the control (what
# alignment alone gains), the row of ours, logistic regression, and that on the texts' words.
REFERENCES = (REFERENCE, Row("projected", "lsew"), OURS, Row(), Row(baseline="text_linear"))
CHEAPEST = Row("cfc", "lsew")  # times are relative to its
MEANS = (
    Column(MEAN, "map", "MAP"),
    Column(MEAN, "macro_f1", "macro-F1"),
    Column(MEAN, "micro_f1", "micro-F1"),
    Column(MEAN, "hamming_loss", "Hamming loss"),
)
BY_TASK = {"map": "MAP", "macro_f1": "macro-F1", "accuracy": "accuracy"}


def columns_of(problem: Problem, by_task: bool) -> tuple[list[Column], list[Column]]:
    """Return the columns of means, and if wanted those of each task."""
    if not by_task:
        return list(MEANS), []
    columns = [
        Column(task.name, score, label)
        for task in problem.tasks
        for score, label in BY_TASK.items()
    ]
    return [column for column in MEANS if column.score != "micro_f1"], columns


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
    scored = [*columns, *(column for column in by_task if runs[key(column)].notna().any())]
    estimates: dict[Row, Estimates] = {}
    for row in rows:
        estimates[row] = {
            (c.task, c.score): Estimate(_values(runs, row, c), overlap=overlap) for c in scored
        }
    # Rows without a mean come last.
    means = {row: values[MEAN, "map"].mean for row, values in estimates.items()}
    ranked = sorted(rows, key=lambda row: (math.isnan(means[row]), -means[row]))
    references = [row for row in REFERENCES if row in estimates]
    if alone := [row for row in ranked if row.view and not math.isnan(means[row])]:
        references.append(alone[0])
        notes = [
            *notes,
            f"{alone[0].title}: of the rows on one view the one with the best test MAP.",
        ]
    return Report(
        title,
        columns,
        {row: estimates[row] for row in ranked},
        _facts(rows, runs),
        references,
        notes,
        details=scored[len(columns) :],
    )


def _values(runs: pd.DataFrame, row: Row, column: Column) -> np.ndarray:
    """Return a row's scores, of a task those of the seeds in which it has a positive test row."""
    values = runs[key(column)]
    known = values.notna().groupby(runs["seed"]).transform("any") | (column.task == MEAN)
    return values[known & (runs["row"] == row.name)].to_numpy(float)


def _facts(
    rows: Sequence[Row], runs: pd.DataFrame
) -> Mapping[Row, Mapping[str, int | float | str]]:
    facts: dict[Row, dict[str, int | float | str]] = {}
    cheapest = runs.loc[runs["row"] == CHEAPEST.name, "seconds"].mean()
    for row in rows:
        of_row = runs[runs["row"] == row.name]
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
    return facts
