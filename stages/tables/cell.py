"""One cell: one row on one data set with one seed; its first is the trial that won, see `tune`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import typer

from pipeline.datasets.sets import data_set
from pipeline.mtl import Task
from pipeline.params import load_params
from pipeline.training.predict import predict
from stages.command import run
from stages.tables import files
from stages.tables.probabilities import write_probabilities
from stages.tables.row import load_set, train_row


@dataclass(frozen=True)
class Cell:
    """What validation and test look like to a trained row, and what it took to train it.

    `found[task]` holds the probabilities [ids, classes].
    """

    tasks: tuple[Task, ...]
    ids: list[str]
    found: Mapping[str, np.ndarray]
    facts: Mapping[str, float]
    seconds: float


def cell(name: str, row: str, seed: int) -> None:
    """Train with the row's tuned learning rate."""
    rate = files.read_json(files.tuned(name, row))["learning_rate"]
    trained = train_cell(name, row, seed, rate)
    write_cell(name, row, seed, trained)
    epochs, best = trained.facts["epochs"], trained.facts["best_epoch"]
    typer.echo(f"{name} {row} {seed}: best of {epochs} epochs: {best}")


def train_cell(name: str, row: str, seed: int, learning_rate: float) -> Cell:
    """Train a row; raises DivergenceError where the learning rate was too high."""
    chosen = data_set(name)
    examples, tasks = load_set(chosen)
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
    )


def write_cell(name: str, row: str, seed: int, trained: Cell) -> None:
    """Write a cell where the report looks for it."""
    path = files.probabilities(name, row, seed)
    write_probabilities(path, trained.tasks, trained.ids, trained.found)
    files.write_json(files.facts(name, row, seed), trained.facts)
    files.write_json(files.timing(name, row, seed), {"seconds": round(trained.seconds, 3)})


if __name__ == "__main__":
    run(cell)
