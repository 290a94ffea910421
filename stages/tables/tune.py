"""The trials of one row on one data set: as many and the same for every row."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import typer

from pipeline.datasets.sets import data_set
from pipeline.evaluation.weighted import mean_of_defined, weighted_map
from pipeline.params import Params, load_params
from pipeline.training.early_stopping import DivergenceError
from pipeline.training.examples import Examples
from pipeline.training.predict import predict
from stages.command import run
from stages.tables import files
from stages.tables.cell import write_cell
from stages.tables.knobs import load_knobs
from stages.tables.row import Trained, load_set, train_row

Trial = dict[str, Any]


def tune(name: str, row: str) -> None:
    """Choose the learning rate with the best mean MAP on validation; never looks at test.

    The trial that wins is the cell of the tuning's seed: it is kept, not trained again.
    """
    chosen, knobs, params = data_set(name), load_knobs(), load_params()
    _check_layout(name, params)
    examples, tasks = load_set(chosen)
    attempt = partial(
        train_row, chosen, examples, tasks, row, seed=knobs.tuning_seed, params=params
    )
    best, trials = _try(attempt, knobs.learning_rates, examples)
    files.write_json(files.trials(name, row), trials)
    if best is None:
        raise ValueError(f"{name} {row}: every learning rate diverged; add lower ones")
    files.write_json(files.tuned(name, row), {"learning_rate": best.learning_rate})
    write_cell(name, row, knobs.tuning_seed, best, examples)
    told = ", ".join(f"{trial['learning_rate']}: {trial.get('map', '-'):.4}" for trial in trials)
    typer.echo(f"{name} {row}: validation MAP by learning rate: {told}")


def _try(
    attempt: Callable[..., Trained], rates: Sequence[float], examples: Examples
) -> tuple[Trained | None, list[Trial]]:
    """Train once a learning rate; returns the best network, if any did not diverge, and all trials.

    From the lowest rate up, since among equals the first one wins.
    """
    best, highest, trials = None, -math.inf, []
    for rate in sorted(rates):
        try:
            trained = attempt(learning_rate=rate)
        except DivergenceError as error:
            trials.append({"learning_rate": rate, "failed": str(error)})
            continue
        score = _validation_map(trained, examples)
        trials.append({"learning_rate": rate, "map": score, "epochs": trained.fitted.epochs})
        if score > highest:
            best, highest = trained, score
    return best, trials


def _check_layout(name: str, params: Params) -> None:
    """Refuse tasks that no table shows before hours are spent on them."""
    if name == "crisismmd" and params.data.crisismmd.layout == "binary":
        raise ValueError(
            "data.crisismmd.layout is 'binary': Tables I-III have one task a concept; set it to "
            "grouped"
        )


def _validation_map(trained: Trained, examples: Examples) -> float:
    """Mean average precision over the tasks of which validation has a positive."""
    rows = examples.rows("val")
    found = predict(trained.network, examples, trained.tasks, rows)
    once = np.ones((1, len(rows)))
    by_task = [
        weighted_map(task, examples.targets[task.name][rows], found[task.name], once)
        for task in trained.tasks
    ]
    mean = float(mean_of_defined(np.stack(by_task))[0])
    if math.isnan(mean):
        raise ValueError("no validation row is positive in any task: no trial can be judged")
    return mean


if __name__ == "__main__":
    run(tune)
