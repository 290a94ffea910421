"""Tables I-V of the paper from the cells of both data sets, with costs and trials."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.evaluation.comparison.cells import Cell, Row, Training, read_cell
from pipeline.evaluation.comparison.estimates import Estimates, draw_resamples, estimate_tasks
from pipeline.evaluation.comparison.paper import tables_of
from pipeline.evaluation.comparison.report import Report, grid, write_report
from pipeline.evaluation.comparison.runner import read_seconds
from pipeline.evaluation.comparison.tuning import (
    FOLDER,
    Log,
    TableParams,
    best_rate,
    parse_row,
    validation_map,
)
from pipeline.evaluation.scores import Arrays, choose_thresholds, decide, select
from pipeline.ground.data_set import SETS, DataSet
from pipeline.mtl import Task
from pipeline.params import Params
from pipeline.training.examples import load_tasks, targets_of

RESULTS = FOLDER / "results"
REFERENCE = Row("cfc", "lsew")
TITLES = {"crisismmd": "CrisisMMD", "youtube": "YouTube Disaster"}


@dataclass(frozen=True)
class _Results:
    """The cells of one data set by row, in the order of the seeds, and the trials' scores."""

    data: DataSet
    index: pd.DataFrame
    tasks: list[Task]
    cells: dict[str, dict[Training, Cell]]
    trials: dict[Training, float]
    seconds: dict[str, float]

    def side(self, split: str) -> pd.DataFrame:
        return self.index[self.index["split"] == split]


def write_tables(params: Params, tables: TableParams, log: Log) -> None:
    """Write Tables I-V, the costs and the trials into tables/results.

    Raises ValueError where a cell is missing, or of other samples than the index holds.
    """
    results = [_load(data, tables) for data in SETS.values()]
    for result in results:
        _write_reports(result, params, tables, log)
        _log_unlisted(result, log)
    _write_costs(results)
    trials = [
        {"set": r.data.name, "row": t.row.name, "learning_rate": t.learning_rate, "map": score}
        for r in results
        for t, score in r.trials.items()
    ]
    pd.DataFrame(trials).to_csv(RESULTS / "trials.csv", index=False, lineterminator="\n")


def _load(data: DataSet, tables: TableParams) -> _Results:
    index, tasks = pd.read_parquet(data.index), load_tasks(data.tasks)
    cells: dict[str, dict[Training, Cell]] = {}
    result = _Results(data, index, tasks, cells, {}, read_seconds(FOLDER / data.name))
    for row in tables.rows:
        trials = {training: _read(result, training) for training in tables.trials(row)}
        first = next(cell for cell in trials.values() if "failed" not in cell.facts)
        # The tasks that training left out are in no cell.
        tasks[:] = [task for task in tasks if task.name in first.probabilities]
        truth = targets_of(result.side("val"), tasks)
        scores = {t: validation_map(tasks, truth, cell) for t, cell in trials.items()}
        result.trials.update(scores)
        rate = best_rate(data.name, scores)
        cells[row] = {t: cell for t, cell in trials.items() if t.learning_rate == rate}
        cells[row] |= {t: _read(result, t) for t in tables.further(row, rate)}
    return result


def _read(result: _Results, training: Training) -> Cell:
    folder = FOLDER / result.data.name / "cells"
    stored = read_cell(folder, training.name, result.tasks)
    if stored is None:
        raise ValueError(
            f"{folder / training.name}.json is missing; run `dvc repro tables/dvc.yaml` or "
            "`dvc pull`"
        )
    if stored[0].ids != [*result.side("val")["id"], *result.side("test")["id"]]:
        raise ValueError(
            f"{folder / training.name} and {result.data.index} hold different samples; run "
            "`dvc repro tables/dvc.yaml`"
        )
    return stored[0]


def _write_reports(result: _Results, params: Params, tables: TableParams, log: Log) -> None:
    name, rule = result.data.name, params.evaluate.threshold
    test = result.side("test")
    truth = targets_of(test, result.tasks)
    resamples = draw_resamples(test["group"].tolist(), len(tables.seeds), tables.resamples)
    estimates: dict[Row, Estimates] = {}
    facts: dict[Row, dict[str, int | float | None]] = {}
    for row, cells in result.cells.items():
        predictions = [_predictions(result, cell, rule) for cell in cells.values()]
        estimates[parse_row(row)] = estimate_tasks(result.tasks, truth, predictions, resamples)
        training, cell = next(iter(cells.items()))
        facts[parse_row(row)] = {
            "parameters": cell.facts["parameters"],
            "learning_rate": training.learning_rate,
        }
    for table in tables_of(name, [task.name for task in result.tasks]):
        labels = truth.get(table.columns[0].task)
        notes = [_made_of(name, params), *_notes(test, labels, tables, rule)]
        title = f"{table.title} ({TITLES[name]})"
        report = Report(title, table.columns, estimates, facts, REFERENCE, notes)
        write_report(report, RESULTS / "tables", RESULTS / "pictures", f"table_{table.number}")
        log(f"{title}: {len(tables.rows)} rows, {len(tables.seeds)} seeds")


def _predictions(result: _Results, cell: Cell, rule: str) -> tuple[Arrays, Arrays]:
    """Return the test probabilities and the decisions at the thresholds of validation."""
    val = result.side("val")
    of_val = select(cell.probabilities, np.arange(len(val)))
    of_test = select(cell.probabilities, np.arange(len(val), len(cell.ids)))
    thresholds = choose_thresholds(result.tasks, targets_of(val, result.tasks), of_val, rule)
    decided = {t.name: decide(t, of_test[t.name], thresholds[t.name]) for t in result.tasks}
    return of_test, decided


def _log_unlisted(result: _Results, log: Log) -> None:
    folder = FOLDER / result.data.name / "cells"
    listed = {t.name for t in result.trials} | {t.name for c in result.cells.values() for t in c}
    unlisted = sorted(path for path in folder.glob("*.json") if path.stem not in listed)
    if unlisted:
        log(
            f"{folder} has {len(unlisted)} cells that tables/params.yaml does not list, the first "
            f"is {unlisted[0].stem}; no table shows them, delete them if they are not needed"
        )


def _made_of(name: str, params: Params) -> str:
    source = (params.data.crisismmd if name == "crisismmd" else params.data.youtube).source
    text = f"Data: {source}; extractors: {params.features.weights}."
    if source.startswith("data/sample/"):
        text += " The sample's scores say nothing about disasters."
    split = params.data.crisismmd.split
    if name == "crisismmd" and split != "grouped":
        text += f" Split: {split}, the authors' of that one task, which leaks: docs/protocols.md."
    return text


def _notes(
    test: pd.DataFrame, labels: np.ndarray | None, tables: TableParams, rule: str
) -> list[str]:
    labelled = "" if labels is None else f", {(labels >= 0).sum()} of them labelled"
    threshold = "where F1 on validation is best" if rule == "validation" else "0.5"
    return [
        f"Test side: {len(test)} samples in {test['group'].nunique()} groups{labelled}.",
        f"Score: mean ± standard deviation over the seeds {', '.join(map(str, tables.seeds))}, and "
        f"[the middle 95 % of {tables.resamples} resamples]. Each resample draws whole groups of "
        "the test side and seeds, both with replacement, and takes the mean over the seeds drawn.",
        "Differences are paired: same resamples, same seeds. `*`: the interval leaves out 0; no "
        "correction for the number of comparisons. The best other row is the best in that column "
        "on this test side, which favours it.",
        f"Learning rate: for every row the best of the same {len(tables.learning_rates)} trials "
        f"({', '.join(map(str, tables.learning_rates))}) by mean average precision on validation, "
        f"with seed {tables.seeds[0]}. All else is that of params.yaml.",
        f"Decisions: threshold {threshold} (sigmoid tasks); softmax takes the likeliest.",
        "F1 of a binary task is that of its positive class, else macro; HL is the fraction of "
        "wrong labels; MAP is made from probabilities. A resample without a labelled row, or "
        "without a positive one, of a task leaves that task out.",
        "`paper`: as printed, on the full data sets. Shown, never targeted: the printed numbers "
        "are not consistent with each other.",
    ]


def _write_costs(results: Sequence[_Results]) -> None:
    costs = pd.DataFrame([line for result in results for line in _costs(result)])
    costs.to_csv(RESULTS / "costs.csv", index=False, lineterminator="\n")
    parts = ["# What the rows cost"]
    header = ["Method", "parameters", "epochs", "seconds", "time of an epoch"]
    for name, of_set in costs.groupby("set", sort=False):
        parts += [f"## {TITLES[str(name)]}", grid(header, _cost_lines(of_set))]
    parts.append(
        "Mean ± standard deviation over the seeds; the processor's seconds of training on one "
        "thread, early stopping included. The time of an epoch is relative to the first row's."
    )
    (RESULTS / "costs.md").write_text("\n\n".join(parts) + "\n")


def _costs(result: _Results) -> Iterator[dict[str, object]]:
    for row, cells in result.cells.items():
        for training, cell in cells.items():
            yield {
                "set": result.data.name,
                "row": row,
                "seed": training.seed,
                "parameters": cell.facts["parameters"],
                "epochs": cell.facts["epochs"],
                "seconds": result.seconds.get(training.name, math.nan),
            }


def _cost_lines(costs: pd.DataFrame) -> Iterator[list[str]]:
    sums = costs.groupby("row", sort=False)[["seconds", "epochs"]].sum()
    rates = sums["seconds"] / sums["epochs"]
    reference = rates.get(REFERENCE.name, rates.iloc[0])
    for row, of_row in costs.groupby("row", sort=False):
        yield [
            parse_row(str(row)).title,
            f"{of_row['parameters'].iloc[0]:,}",
            f"{of_row['epochs'].mean():.1f}",
            f"{of_row['seconds'].mean():.1f} ± {of_row['seconds'].std():.1f}",
            f"{rates[row] / reference:.2f}",
        ]
