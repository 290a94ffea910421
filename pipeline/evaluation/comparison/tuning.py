"""Cells of the paper's tables: each row's learning rate is tuned, then its seeds are trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.evaluation.comparison.cells import Cell, Problem, Row, Settings, Training
from pipeline.evaluation.comparison.runner import run_trainings
from pipeline.evaluation.scores import Arrays, mean_map, select
from pipeline.ground.data_set import DataSet
from pipeline.models.fusion import FUSIONS
from pipeline.mtl import METHODS, Task
from pipeline.params import Params, Section, Seed, each_once, load_checked
from pipeline.training.examples import load_training_set

FOLDER = Path("tables")
Log = Callable[[str], None]


def _check_row(name: str) -> str:
    fusion, _, method = name.partition("_")
    if fusion not in FUSIONS or method not in METHODS:
        raise ValueError(
            f"<fusion>_<method> with one of {', '.join(FUSIONS)} and one of {', '.join(METHODS)}"
        )
    return name


RowName = Annotated[str, AfterValidator(_check_row)]
Rate = Annotated[float, Field(gt=0)]
OnceEach = AfterValidator(each_once)


class TableParams(Section):
    """All of tables/params.yaml."""

    rows: Annotated[list[RowName], Field(min_length=1), OnceEach]
    learning_rates: Annotated[list[Rate], Field(min_length=1), OnceEach]
    seeds: Annotated[list[Seed], Field(min_length=2), OnceEach]  # one alone has no deviation
    resamples: Annotated[int, Field(ge=100)]  # fewer say little of the 2.5th percentile

    def trials(self, row: Row) -> list[Training]:
        """The trainings of a row that choose its learning rate, all with the first seed."""
        return [Training(row, self.seeds[0], rate) for rate in sorted(self.learning_rates)]

    def further(self, row: Row, learning_rate: float) -> list[Training]:
        """The trainings of a row with the other seeds."""
        return [Training(row, seed, learning_rate) for seed in self.seeds[1:]]

    def parsed_rows(self) -> list[Row]:
        """The rows, each with its fusion and its method."""
        return [Row(*name.split("_", 1)) for name in self.rows]


def load_table_params() -> TableParams:
    """Read and check tables/params.yaml; ValueError has one line for each wrong key."""
    return load_checked(FOLDER / "params.yaml", TableParams)


def train_cells(data: DataSet, params: Params, tables: TableParams, log: Log) -> None:
    """Train the cells that tables/<set> lacks: every row's trials, then its other seeds.

    The best trial is the row's cell with the first seed.
    """
    if data.name == "crisismmd" and params.data.crisismmd.layout == "binary":
        raise ValueError(
            "data.crisismmd.layout is 'binary', which has no tables; set it to grouped"
        )
    examples, tasks, left_out = load_training_set(data, data.modalities)
    if left_out:
        log(f"{data.name}: left out of training: {', '.join(left_out)}")
    problem = Problem(examples, tasks, data.encoder)
    settings = Settings(params.fusion, params.mtl, params.train)
    run = partial(run_trainings, problem, settings, folder=FOLDER / data.name, on_retrain=log)
    rows = tables.parsed_rows()
    trials = run([training for row in rows for training in tables.trials(row)])
    truth, further = select(examples.targets, examples.rows("val")), []
    for row in rows:
        scores = {t: validation_map(tasks, truth, trials[t]) for t in tables.trials(row)}
        log(f"{data.name} {row.name}: validation MAP by learning rate: {_listed(scores)}")
        further += tables.further(row, best_rate(data.name, scores))
    for training, cell in run(further).items():
        if "failed" in cell.facts:
            raise ValueError(
                f"{data.name} {training.row.name}: with seed {training.seed} the training diverged "
                f"at the tuned learning rate {training.rate}; remove it from "
                "learning_rates in tables/params.yaml"
            )


def validation_map(tasks: Sequence[Task], truth: Arrays, cell: Cell) -> float:
    """Mean average precision over the tasks with a validation positive; -inf if it diverged."""
    if "failed" in cell.facts:
        return -math.inf
    # A cell's first rows are the validation rows.
    of_val = {name: p[: len(truth[name])] for name, p in cell.probabilities.items()}
    mean = mean_map(tasks, truth, of_val)
    if math.isnan(mean):
        raise ValueError("no validation row is positive in any task: no trial can be judged")
    return mean


def best_rate(name: str, scores: Mapping[Training, float]) -> float:
    """Return the learning rate with the best score; among equals the lowest one."""
    best = max(scores, key=lambda t: (scores[t], -t.rate))
    if math.isinf(scores[best]):
        raise ValueError(f"{name} {best.row.name}: every learning rate diverged; add lower ones")
    return best.rate


def _listed(scores: Mapping[Training, float]) -> str:
    values = {t: "diverged" if math.isinf(score) else f"{score:.3f}" for t, score in scores.items()}
    return ", ".join(f"{t.rate} {value}" for t, value in values.items())
