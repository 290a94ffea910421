"""One cell: one row on one data set with one seed; its first is the trial that won, see `tune`."""

from __future__ import annotations

import numpy as np
import typer

from pipeline.datasets.sets import data_set
from pipeline.params import load_params
from pipeline.training.examples import Examples
from pipeline.training.predict import predict
from stages.command import run
from stages.tables import files
from stages.tables.probabilities import write_probabilities
from stages.tables.row import Trained, load_set, train_row


def cell(name: str, row: str, seed: int) -> None:
    """Train with the row's tuned learning rate."""
    chosen, params = data_set(name), load_params()
    rate = files.read_json(files.tuned(name, row))["learning_rate"]
    examples, tasks = load_set(chosen)
    write_cell(
        name, row, seed, train_row(chosen, examples, tasks, row, rate, seed, params), examples
    )


def write_cell(name: str, row: str, seed: int, trained: Trained, examples: Examples) -> None:
    """Write what validation and test look like to a trained row, and what it took to train it."""
    rows = np.concatenate([examples.rows("val"), examples.rows("test")])
    write_probabilities(
        files.probabilities(name, row, seed),
        trained.tasks,
        [examples.ids[i] for i in rows],
        predict(trained.network, examples, trained.tasks, rows),
    )
    fitted = trained.fitted
    facts = {
        "parameters": sum(p.numel() for p in trained.network.parameters()),
        "epochs": fitted.epochs,
        "best_epoch": fitted.best_epoch,
        "learning_rate": trained.learning_rate,
    }
    files.write_json(files.facts(name, row, seed), facts)
    files.write_json(files.timing(name, row, seed), {"seconds": round(trained.seconds, 3)})
    typer.echo(f"{name} {row} {seed}: best of {fitted.epochs} epochs: {fitted.best_epoch}")


if __name__ == "__main__":
    run(cell)
