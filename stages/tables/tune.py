"""The trials of one row on one data set: as many and the same for every row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import typer

from pipeline.evaluation.scores import mean_average_precision, mean_of_defined
from pipeline.ground.command import run
from pipeline.ground.data_set import data_set
from pipeline.params import Params, load_params
from pipeline.training.examples import targets_of
from pipeline.training.fit import DivergenceError
from stages.tables import files
from stages.tables.cells import Cell, tell_left_out, train_cell, write_cell
from stages.tables.knobs import load_knobs
from stages.tables.side_by_side import side_by_side


@dataclass(frozen=True)
class Trial:
    """A learning rate, and either the cell it made with its score or how it failed."""

    learning_rate: float
    cell: Cell | None = None
    score: float = -math.inf
    failed: str = ""

    def told(self) -> dict[str, float | str]:
        """Describe the trial for people."""
        if self.cell is None:
            return {"learning_rate": self.learning_rate, "failed": self.failed}
        epochs = self.cell.facts["epochs"]
        return {"learning_rate": self.learning_rate, "map": self.score, "epochs": epochs}


def tune(name: str, row: str) -> None:
    """Choose the learning rate with the best mean MAP on validation; never looks at test.

    The trial that wins is the cell of the tuning's seed: it is kept, not trained again.
    """
    knobs = load_knobs()
    _check_layout(name, load_params())
    # The lowest rate, which most often learns longest, begins while other processes start.
    trials = side_by_side(
        partial(attempt, name, row, knobs.tuning_seed), sorted(knobs.learning_rates)
    )
    files.write_json(files.trials(name, row), [trial.told() for trial in trials])
    best = choose(trials)
    if best.cell is None:
        raise ValueError(f"{name} {row}: every learning rate diverged; add lower ones")
    tell_left_out(name, best.cell)
    files.write_json(files.tuned(name, row), {"learning_rate": best.learning_rate})
    write_cell(files.place_of_one(name, row, knobs.tuning_seed), best.cell)
    told = ", ".join(
        f"{t.learning_rate}: {f'{t.score:.3f}' if t.cell else t.failed}" for t in trials
    )
    typer.echo(f"{name} {row}: validation MAP by learning rate: {told}")


def choose(trials: Sequence[Trial]) -> Trial:
    """Return the trial with the best score; among equals the lowest learning rate wins."""
    return max(sorted(trials, key=lambda trial: trial.learning_rate), key=lambda trial: trial.score)


def attempt(name: str, row: str, seed: int, learning_rate: float) -> Trial:
    """Train once, and judge that by the mean average precision on validation."""
    try:
        cell = train_cell(name, row, learning_rate, seed)
    except DivergenceError as error:
        return Trial(learning_rate, failed=str(error))
    return Trial(learning_rate, cell, _validation_map(name, cell))


def _check_layout(name: str, params: Params) -> None:
    """Refuse tasks that no table shows before hours are spent on them."""
    if name == "crisismmd" and params.data.crisismmd.layout == "binary":
        raise ValueError(
            "data.crisismmd.layout is 'binary': Tables I-III have one task a concept; set it to "
            "grouped"
        )


def _validation_map(name: str, cell: Cell) -> float:
    """Mean average precision over the tasks of which validation has a positive."""
    index = pd.read_parquet(data_set(name).index).set_index("id").loc[cell.ids]
    val = (index["split"] == "val").to_numpy()
    truth = targets_of(index[val], cell.tasks)
    by_task = [
        mean_average_precision(task, truth[task.name], cell.found[task.name][val])
        for task in cell.tasks
    ]
    mean = float(mean_of_defined(np.stack(by_task))[0])
    if math.isnan(mean):
        raise ValueError("no validation row is positive in any task: no trial can be judged")
    return mean


if __name__ == "__main__":
    run(tune)
