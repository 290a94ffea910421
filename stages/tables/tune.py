"""The trials of one row on one data set: as many and the same for every row."""

from __future__ import annotations

from functools import partial

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
from stages.tables.knobs import load_knobs
from stages.tables.row import Trained, load_set, train_row


def tune(name: str, row: str) -> None:
    """Choose the learning rate with the best mean MAP on validation; never looks at test."""
    chosen, knobs, params = data_set(name), load_knobs(), load_params()
    _check_layout(name, params)
    examples, tasks = load_set(chosen)
    attempt = partial(
        train_row, chosen, examples, tasks, row, seed=knobs.tuning_seed, params=params
    )
    trials: list[dict[str, float | int | str]] = []
    scores: dict[float, float] = {}
    for rate in knobs.learning_rates:
        try:
            trained = attempt(learning_rate=rate)
        except DivergenceError as error:
            trials.append({"learning_rate": rate, "failed": str(error)})
            continue
        scores[rate] = _validation_map(trained, examples)
        epochs = trained.fitted.epochs
        trials.append({"learning_rate": rate, "map": scores[rate], "epochs": epochs})
    if not scores:
        raise ValueError(f"{name} {row}: every learning rate diverged; add lower ones")
    # Among equals the lower rate wins, in whatever order they were given.
    best = max(sorted(scores), key=lambda rate: scores[rate])
    files.write_json(files.tuned(name, row), {"learning_rate": best})
    files.write_json(files.trials(name, row), trials)
    told = ", ".join(f"{rate}: {score:.3f}" for rate, score in scores.items())
    typer.echo(f"{name} {row}: validation MAP by learning rate: {told}")


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
    return float(mean_of_defined(np.stack(by_task))[0])


if __name__ == "__main__":
    run(tune)
