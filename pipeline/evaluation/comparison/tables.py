"""Tables I-V of the paper from the cells of both data sets, with costs and trials."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.evaluation.comparison.cells import Cell, Settings, Training, read_cell
from pipeline.evaluation.comparison.estimates import Estimates, draw_resamples, estimate_tasks
from pipeline.evaluation.comparison.paper import tables_of
from pipeline.evaluation.comparison.report import NOTHING, Report, grid, networks_note, write_report
from pipeline.evaluation.comparison.rows import Row, row_named
from pipeline.evaluation.comparison.runner import read_seconds
from pipeline.evaluation.comparison.tuning import FOLDER, TableParams, Tuned, tune
from pipeline.evaluation.literature import Ours, split_name, table_notes
from pipeline.evaluation.scores import Arrays, choose_thresholds, decide, unscored_notes
from pipeline.ground.csv_tables import write_csv
from pipeline.ground.data_set import SETS, DataSet
from pipeline.ground.messages import echo
from pipeline.ground.temporaries import write_text
from pipeline.inputs.parquet import read_table
from pipeline.mtl import Task
from pipeline.params import Params
from pipeline.training.examples import targets_of
from pipeline.training.tasks import load_tasks

RESULTS = FOLDER / "results"
REFERENCE = Row("cfc", "lsew")
CONTROL = Row("projected", "lsew")  # what alignment alone gains
TITLES = {"crisismmd": "CrisisMMD", "youtube": "YouTube Disaster"}


@dataclass(frozen=True)
class _Results:
    """One data set's rows with their cells, and the tasks that these were trained on."""

    data: DataSet
    index: pd.DataFrame
    tasks: list[Task]
    rows: dict[Row, Tuned]

    @property
    def folder(self) -> Path:
        return FOLDER / self.data.name / "cells"

    def side(self, split: str) -> pd.DataFrame:
        return self.index[self.index["split"] == split]


def write_tables(params: Params, tables: TableParams) -> None:
    """Write Tables I-V, the costs and the trials into tables/results.

    Raises ValueError if a cell is missing, or of other samples than the index holds.
    """
    results = [_load(SETS[name], tables) for name in TITLES]
    for result in results:
        _write_reports(result, params, tables)
        _report_unlisted(result)
    _write_costs(results)
    trials = [
        {"set": result.data.name, "row": row.name, "learning_rate": t.rate, "map": score}
        for result in results
        for row, tuned in result.rows.items()
        for t, score in tuned.trials.items()
    ]
    write_csv(RESULTS / "trials.csv", pd.DataFrame(trials))


def _load(data: DataSet, tables: TableParams) -> _Results:
    index, tasks = read_table(data.index), load_tasks(data.tasks)
    result = _Results(data, index, tasks, {})
    truth = targets_of(result.side("val"), tasks)
    rows = tune(tables, tasks, truth, lambda trainings: {t: _read(result, t) for t in trainings})
    cell = next(cell for tuned in rows.values() for cell in tuned.cells.values())
    trained = [task for task in tasks if task.name in cell.probabilities]
    return replace(result, tasks=trained, rows=rows)


def _read(result: _Results, training: Training) -> Cell:
    path = result.folder / training.name
    cell = read_cell(result.folder, training.name, result.tasks)
    if cell is None:
        raise ValueError(f"{path}.json is missing; run `dvc repro tables/dvc.yaml` or `dvc pull`")
    if cell.ids != [*result.side("val")["id"], *result.side("test")["id"]]:
        raise ValueError(
            f"{path} and {result.data.index} hold different samples; run "
            "`dvc repro tables/dvc.yaml`"
        )
    return cell


def _write_reports(result: _Results, params: Params, tables: TableParams) -> None:
    name, test = result.data.name, result.side("test")
    truth = targets_of(test, result.tasks)
    resamples = draw_resamples(test["group"].tolist(), len(tables.seeds), tables.resamples)
    estimates: dict[Row, Estimates] = {}
    facts: dict[Row, dict[str, int | float | str]] = {}
    for row, tuned in result.rows.items():
        rule, cells = params.evaluate.threshold, tuned.cells.values()
        predictions = [_predictions(result, cell, rule) for cell in cells]
        estimates[row] = estimate_tasks(result.tasks, truth, predictions, resamples)
        training, cell = next(iter(tuned.cells.items()))
        facts[row] = {"parameters": cell.facts["parameters"], "learning_rate": training.rate}
    references = [row for row in (REFERENCE, CONTROL) if row in estimates]
    ablation = [row_named(name) for name in tables.ablation]
    for table in tables_of(name, list(truth)):
        task = table.columns[0].task
        notes = _notes(result, truth.get(task), params, tables)
        notes += _published(result, task, params) if name == "crisismmd" else []
        title = f"{table.title} ({TITLES[name]})"
        report = Report(title, table.columns, estimates, facts, references, notes, ablation)
        write_report(report, RESULTS / "tables", RESULTS / "pictures", f"table_{table.number}")
        echo(f"{title}: {len(estimates)} rows, {len(tables.seeds)} seeds")


def _predictions(result: _Results, cell: Cell, rule: str) -> tuple[Arrays, Arrays]:
    """Return the test probabilities and the decisions at the thresholds of validation."""
    truth = targets_of(result.side("val"), result.tasks)
    of_val, of_test = cell.sides(len(result.side("val")))
    thresholds = choose_thresholds(result.tasks, truth, of_val, rule)
    decided = {t.name: decide(t, of_test[t.name], thresholds[t.name]) for t in result.tasks}
    return of_test, decided


def _notes(
    result: _Results, labels: np.ndarray | None, params: Params, tables: TableParams
) -> list[str]:
    name, test = result.data.name, result.side("test")
    source, split = params.data.sources[name], params.data.crisismmd.split
    data = f"Data: {source}; encoders: {_encoders(result.data, params)}."
    if source.startswith("data/sample/"):
        data += " The sample's scores say nothing about disasters."
    if name == "crisismmd" and split == "event":
        data += f" Split: tests on {params.data.crisismmd.test_event}, trained on the other events."
    elif name == "crisismmd" and split != "grouped":
        data += f" Split: {split}, the authors' of that one task, which leaks: docs/protocols.md."
    labelled = "" if labels is None else f", {(labels >= 0).sum()} of them labelled"
    return [
        data,
        f"Test side: {len(test)} samples in {test['group'].nunique()} groups{labelled}.",
        *unscored_notes(result.tasks, targets_of(test, result.tasks), "test"),
        f"Seeds {', '.join(map(str, tables.seeds))}; {tables.resamples} resamples; learning rate: "
        f"the best of {', '.join(map(str, tables.learning_rates))} on validation with seed "
        f"{tables.tuning_seed}; thresholds: {params.evaluate.threshold}.",
        networks_note(Settings(params.fusion, params.mtl, params.train), result.rows),
        "`paper`: as printed, on the full data sets; for comparison only.",
        "How to read scores, intervals and differences: docs/tables.md.",
    ]


def _published(result: _Results, name: str, params: Params) -> list[str]:
    """List the published figures of a task, and what keeps them from being compared."""
    task = next(task for task in result.tasks if task.name == name)
    labels = result.index[name]
    split = split_name(params.data.crisismmd, labels)
    rows = int(labels[result.index["split"] == "test"].notna().sum())
    # The tables' F1 is that of the positive class, or macro.
    metrics = ("f1" if task.binary else "f1_macro", "hl", "map")
    ours = Ours("crisismmd", name, "", task.classes, split, rows, params.train.shots)
    return table_notes(ours, metrics)


def _encoders(data: DataSet, params: Params) -> str:
    sections = {modality: getattr(params.features, modality) for modality in data.modalities}
    return ", ".join(f"{m} {s.encoder} ({s.weights})" for m, s in sections.items())


def _report_unlisted(result: _Results) -> None:
    listed = {t.name for tuned in result.rows.values() for t in [*tuned.trials, *tuned.cells]}
    unlisted = sorted({path.stem for path in result.folder.glob("*.json")} - listed)
    if unlisted:
        echo(
            f"{result.folder} has {len(unlisted)} cells that tables/params.yaml does not list, the "
            f"first is {unlisted[0]}; they are in no table"
        )


def _write_costs(results: Sequence[_Results]) -> None:
    # A seconds.json of a killed run may lack a training.
    costs = pd.DataFrame(
        {
            "set": result.data.name,
            "row": row.name,
            "seed": training.seed,
            "parameters": cell.facts["parameters"],
            "epochs": cell.facts["epochs"],
            "seconds": read_seconds(FOLDER / result.data.name).get(training.name, math.nan),
        }
        for result in results
        for row, tuned in result.rows.items()
        for training, cell in tuned.cells.items()
    )
    write_csv(RESULTS / "costs.csv", costs)
    parts = ["# What the rows cost"]
    header = ["Method", "parameters", "epochs", "seconds", "time of an epoch"]
    for result in results:
        lines = _cost_lines(result, costs[costs["set"] == result.data.name])
        parts += [f"## {TITLES[result.data.name]}", grid(header, lines)]
    parts.append(
        "Mean ± standard deviation over the seeds; the processor's seconds of training on one "
        "thread, early stopping included. The time of an epoch is relative to the first row's."
    )
    write_text(RESULTS / "costs.md", "\n\n".join(parts) + "\n")


def _cost_lines(result: _Results, costs: pd.DataFrame) -> Iterator[list[str]]:
    sums = costs.dropna().groupby("row", sort=False)[["seconds", "epochs"]].sum()
    rates = sums["seconds"] / sums["epochs"]
    rates = rates.reindex([row.name for row in result.rows])
    reference = rates.get(REFERENCE.name, rates.iloc[0])
    for row in result.rows:
        of_row = costs[costs["row"] == row.name]
        relative = rates[row.name] / reference
        yield [
            row.title,
            f"{of_row['parameters'].iloc[0]:,}",
            f"{of_row['epochs'].mean():.1f}",
            _mean_and_deviation(of_row["seconds"].dropna()),
            NOTHING if math.isnan(relative) else f"{relative:.2f}",
        ]


def _mean_and_deviation(values: pd.Series) -> str:
    if values.empty:
        return NOTHING
    deviation = f"{values.std():.1f}" if len(values) > 1 else NOTHING
    return f"{values.mean():.1f} ± {deviation}"
