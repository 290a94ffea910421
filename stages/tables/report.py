"""Tables I-V from all cells: Markdown, CSV and a picture each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import typer

from pipeline.evaluation.bootstrap import draw
from pipeline.evaluation.estimates import Cell, Estimates, estimate_row
from pipeline.evaluation.scores import Arrays, choose_thresholds, decide, select
from pipeline.evaluation.table_figures import draw_table
from pipeline.evaluation.table_text import markdown
from pipeline.evaluation.tables import compare, tables_of
from pipeline.ground.command import run
from pipeline.ground.data_set import SETS, DataSet
from pipeline.mtl import Task
from pipeline.params import Params, load_params
from pipeline.training.examples import load_tasks, targets_of
from stages.tables import files
from stages.tables.knobs import Knobs, load_knobs
from stages.tables.probabilities import read_probabilities


def report() -> None:
    """Write every table; cells that are missing are an error, never left out."""
    knobs, params = load_knobs(), load_params()
    for folder in (files.TABLES, files.PICTURES):
        folder.mkdir(parents=True, exist_ok=True)
    for chosen in SETS.values():
        _report(chosen, knobs, params)
    _tell_leftovers(knobs)


def _report(chosen: DataSet, knobs: Knobs, params: Params) -> None:
    rule = params.evaluate.threshold
    index = pd.read_parquet(chosen.index).set_index("id")
    tasks = _trained(chosen, knobs)
    test = index[index["split"] == "test"]
    truth = targets_of(test, tasks)
    resamples = draw(test["group"].tolist(), len(knobs.seeds), knobs.resamples)
    rows: dict[str, Estimates] = {}
    for row in knobs.rows:
        places = knobs.places(chosen.name, row)
        cells = [_cell(place.probabilities, index, tasks, rule) for place in places]
        rows[row] = estimate_row(tasks, truth, cells, resamples)
    facts = pd.DataFrame([{"row": row, **_facts(chosen.name, row, knobs)} for row in knobs.rows])
    for table in tables_of(chosen.name, [task.name for task in tasks]):
        compared = compare(table, rows)
        path = files.TABLES / f"table_{table.number}"
        notes = [
            _made_of(chosen, params),
            *_notes(test, truth, table.columns[0].task, knobs, rule),
        ]
        path.with_suffix(".md").write_text(markdown(table, compared, facts, notes))
        beside = compared.merge(facts, on="row", validate="many_to_one")
        beside.to_csv(path.with_suffix(".csv"), index=False, lineterminator="\n")
        draw_table(files.PICTURES / f"{path.name}.png", table, compared)
        typer.echo(f"{path}: {len(knobs.rows)} rows, {len(knobs.seeds)} seeds")


def _tell_leftovers(knobs: Knobs) -> None:
    """Name folders of cells that no table shows, because DVC's lock counts them all the same."""
    places = [place for name in SETS for row in knobs.rows for place in knobs.places(name, row)]
    wanted = {place.probabilities.parent for place in places}
    extra = sorted(set(files.CELLS.glob("*/*/*")) - wanted)
    if extra:
        typer.echo(
            f"{extra[0]} ({len(extra)} such) is of no entry of tables/params.yaml: no table shows "
            f"it, but tables/dvc.lock counts it. Delete {files.CELLS}, then `dvc checkout` and "
            "`dvc repro tables/dvc.yaml`, to be rid of it."
        )


def _trained(chosen: DataSet, knobs: Knobs) -> list[Task]:
    """The tasks that the cells were trained on: every row and seed has the same."""
    tasks = load_tasks(chosen.tasks)
    first = knobs.places(chosen.name, knobs.rows[0])[0]
    found = read_probabilities(files.require(first.probabilities), tasks)[1]
    return [task for task in tasks if task.name in found]


def _cell(path: Path, index: pd.DataFrame, tasks: Sequence[Task], rule: str) -> Cell:
    ids, found = read_probabilities(files.require(path), tasks)
    split = index.loc[ids, "split"].to_numpy()
    _check(path, ids, split, index)
    val, test = np.flatnonzero(split == "val"), np.flatnonzero(split == "test")
    truth = targets_of(index.loc[np.array(ids)[val]], tasks)
    thresholds = choose_thresholds(tasks, truth, select(found, val), rule)
    shown: Arrays = select(found, test)
    return Cell(shown, {t.name: decide(t, shown[t.name], thresholds[t.name]) for t in tasks})


def _check(path: Path, ids: Sequence[str], split: np.ndarray, index: pd.DataFrame) -> None:
    """Rows are matched by their order, so this must be the index's."""
    if np.array(ids)[split == "test"].tolist() != index.index[index["split"] == "test"].tolist():
        raise ValueError(f"{path} and the index hold different test samples; run dvc repro again")


def _facts(name: str, row: str, knobs: Knobs) -> dict[str, float]:
    first, *others = (files.read_json(place.facts) for place in knobs.places(name, row))
    kept = ("parameters", "learning_rate")
    if any(other[key] != first[key] for other in others for key in kept):
        raise ValueError(f"{name} {row}: its seeds differ in more than the seed; dvc repro again")
    return {key: first[key] for key in kept}


def _made_of(chosen: DataSet, params: Params) -> str:
    sources = {
        "crisismmd": params.data.crisismmd.source,
        "youtube": params.data.youtube.source,
    }
    told = f"Data: {sources[chosen.name]}; extractors: {params.features.weights}."
    if sources[chosen.name] == "sample":
        told += " The sample is made by code: its scores mean nothing about disasters."
    split = params.data.crisismmd.split
    if chosen.name == "crisismmd" and split != "grouped":
        told += (
            f" Split: {split}, the authors' of that one task alone, which leaks: docs/protocols.md."
        )
    return told


def _notes(test: pd.DataFrame, truth: Arrays, task: str, knobs: Knobs, rule: str) -> list[str]:
    groups = test["group"].nunique()
    labelled = f", {(truth[task] >= 0).sum()} of them labelled" if task in truth else ""
    rates = ", ".join(map(str, knobs.learning_rates))
    decision = {
        "validation": "where F1 on validation is best (sigmoid tasks); softmax takes the likeliest",
        "half": "0.5 (sigmoid tasks); softmax takes the likeliest",
    }[rule]
    return [
        f"Test side: {len(test)} samples in {groups} groups{labelled}.",
        f"Score: mean ± standard deviation over the seeds {', '.join(map(str, knobs.seeds))}, and "
        f"[the middle 95 % of {knobs.resamples} resamples]. Each resample draws whole groups of "
        "the test side and seeds, both with replacement, and takes the mean over the seeds drawn.",
        "Differences are paired: same resamples, same seeds. `*`: the interval leaves out 0; no "
        "correction for the number of comparisons. The best other row is the best in that column "
        "on this test side, which favours it.",
        f"Learning rate: for every row the best of the same {len(knobs.learning_rates)} trials "
        f"({rates}) by mean average precision on validation, with seed {knobs.tuning_seed}. All "
        "else is that of params.yaml.",
        f"Decisions: threshold {decision}.",
        "F1 of a binary task is that of its positive class, else macro; HL is the fraction of "
        "wrong labels; MAP is made from probabilities. A resample without a labelled row, or "
        "without a positive one, of a task leaves that task out.",
        "`paper`: as printed, on the full data sets. Shown, never targeted: the printed numbers "
        "are not consistent with each other.",
    ]


if __name__ == "__main__":
    run(report)
