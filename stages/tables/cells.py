"""Cells: one row on one data set, a seed each; the first is the trial that won, see `tune`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import typer

from pipeline.ground.command import run
from pipeline.ground.data_set import data_set
from pipeline.mtl import Task
from pipeline.params import load_params
from pipeline.training.examples import load_training_set
from pipeline.training.fit import DivergenceError
from pipeline.training.predict import predict
from stages.tables import files
from stages.tables.knobs import load_knobs
from stages.tables.probabilities import write_probabilities
from stages.tables.row import train_row
from stages.tables.side_by_side import side_by_side
from stages.tables.spans import parse_span


@dataclass(frozen=True)
class Cell:
    """What validation and test look like to a trained row, and what it took to train it.

    `found[task]` holds the probabilities [ids, classes]; `left_out` names the modalities and tasks
    that training lacks.
    """

    tasks: tuple[Task, ...]
    ids: list[str]
    found: Mapping[str, np.ndarray]
    facts: Mapping[str, float]
    seconds: float
    left_out: Sequence[str]


def cells(name: str, row: str, span: str) -> None:
    """Train with the row's tuned learning rate, once a seed of the span."""
    load_knobs()  # refuses entries that overlap before they are trained
    rate = files.read_json(files.tuned(name, row))["learning_rate"]
    seeds = parse_span(span).seeds
    trained = side_by_side(partial(_train_tuned, name, row, rate), seeds)
    tell_left_out(name, trained[0])
    for seed, cell in zip(seeds, trained, strict=True):
        write_cell(files.Place(name, row, span, seed), cell)
        epochs, best = cell.facts["epochs"], cell.facts["best_epoch"]
        typer.echo(f"{name} {row} {seed}: best of {epochs} epochs: {best}")


def _train_tuned(name: str, row: str, learning_rate: float, seed: int) -> Cell:
    try:
        return train_cell(name, row, learning_rate, seed)
    except DivergenceError:
        raise ValueError(
            f"{name} {row}: with seed {seed} the training diverged at the tuned learning rate "
            f"{learning_rate}; take it out of learning_rates in tables/params.yaml"
        ) from None


def train_cell(name: str, row: str, learning_rate: float, seed: int) -> Cell:
    """Train a row; raises DivergenceError where the learning rate was too high."""
    chosen = data_set(name)
    examples, tasks, left_out = load_training_set(chosen, chosen.modalities)
    trained = train_row(chosen, examples, tasks, row, learning_rate, seed, load_params())
    rows = np.concatenate([examples.rows("val"), examples.rows("test")])
    facts = {
        "parameters": sum(p.numel() for p in trained.network.parameters()),
        "epochs": trained.fitted.epochs,
        "best_epoch": trained.fitted.best_epoch,
        "learning_rate": learning_rate,
    }
    return Cell(
        tasks,
        [examples.ids[i] for i in rows],
        predict(trained.network, examples, tasks, rows),
        facts,
        trained.seconds,
        left_out,
    )


def tell_left_out(name: str, cell: Cell) -> None:
    """Say once what all of a row's trainings do without."""
    if cell.left_out:
        typer.echo(f"{name}: training lacks, so left out: {', '.join(cell.left_out)}")


def write_cell(place: files.Place, cell: Cell) -> None:
    """Write a cell where the report looks for it."""
    write_probabilities(place.probabilities, cell.tasks, cell.ids, cell.found)
    files.write_json(place.facts, cell.facts)
    files.write_json(place.timing, {"seconds": round(cell.seconds, 3)})


if __name__ == "__main__":
    run(cells)
