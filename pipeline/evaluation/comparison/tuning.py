"""Cells of the paper's tables: each row's learning rate is tuned, then its seeds are trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from ruamel.yaml import YAML

from pipeline.evaluation.comparison.cells import Cell, Problem, Row, Settings, Training
from pipeline.evaluation.comparison.runner import run_trainings
from pipeline.evaluation.scores import Arrays, mean_average_precision, mean_of_defined, select
from pipeline.ground.data_set import DataSet
from pipeline.models.fusion import FUSIONS
from pipeline.mtl import METHODS, Task
from pipeline.params import Params, Seed
from pipeline.training.examples import load_training_set

FOLDER = Path("tables")
Log = Callable[[str], None]


class TableParams(BaseModel):
    """All of tables/params.yaml."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    rows: Annotated[list[str], Field(min_length=1)]
    learning_rates: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=2)]  # one alone has no deviation
    resamples: Annotated[int, Field(ge=100)]  # fewer say little of the 2.5th percentile

    @field_validator("rows")
    @classmethod
    def _check_rows(cls, names: list[str]) -> list[str]:
        for name in names:
            parse_row(name)
        return names

    @field_validator("rows", "learning_rates", "seeds")
    @classmethod
    def _check_distinct(cls, values: list[object]) -> list[object]:
        for value in values:
            if values.count(value) > 1:
                raise ValueError(f"{value} appears twice")
        return values

    def trials(self, name: str) -> list[Training]:
        """The trainings of a row that choose its learning rate, all with the first seed."""
        return [Training(parse_row(name), self.seeds[0], r) for r in sorted(self.learning_rates)]

    def further(self, name: str, learning_rate: float) -> list[Training]:
        """The trainings of a row with the other seeds."""
        return [Training(parse_row(name), seed, learning_rate) for seed in self.seeds[1:]]


def parse_row(name: str) -> Row:
    """Split `<fusion>_<method>`; raises ValueError that lists the known ones."""
    fusion, _, method = name.partition("_")
    if fusion not in FUSIONS or method not in METHODS:
        raise ValueError(
            f"unknown row {name!r}; allowed: <fusion>_<method> with one of {', '.join(FUSIONS)} "
            f"and one of {', '.join(METHODS)}"
        )
    return Row(fusion, method)


def load_table_params(path: Path = FOLDER / "params.yaml") -> TableParams:
    """Read and check the tables' parameters; ValueError has one line for each wrong key."""
    try:
        return TableParams.model_validate(YAML(typ="safe", pure=True).load(path))
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
        raise ValueError("\n".join(lines)) from None


def train_cells(data: DataSet, params: Params, tables: TableParams, log: Log) -> None:
    """Train every row of a data set: first the trials, then the other seeds at the best rate.

    The best trial is the row's cell with the first seed. Cells that are there already and fit are
    not trained again.
    """
    if data.name == "crisismmd" and params.data.crisismmd.layout == "binary":
        raise ValueError(
            "data.crisismmd.layout is 'binary', but Tables I-III have one task a concept; set it "
            "to grouped"
        )
    examples, tasks, left_out = load_training_set(data, data.modalities)
    if left_out:
        log(f"{data.name}: left out of training: {', '.join(left_out)}")
    problem = Problem(examples, tasks, data.encoder)
    settings = Settings(params.fusion, params.mtl, params.train)
    run = partial(run_trainings, problem, settings, folder=FOLDER / data.name, on_retrain=log)
    trials = run([training for row in tables.rows for training in tables.trials(row)])
    val = examples.rows("val")
    truth, further = select(examples.targets, val), []
    for row in tables.rows:
        scores = {t: validation_map(tasks, truth, trials[t]) for t in tables.trials(row)}
        log(f"{data.name} {row}: validation MAP by learning rate: {_listed(scores)}")
        further += tables.further(row, best_rate(data.name, scores))
    for training, cell in run(further).items():
        if "failed" in cell.facts:
            raise ValueError(
                f"{data.name} {training.row.name}: with seed {training.seed} the training diverged "
                f"at the tuned learning rate {training.learning_rate}; remove it from "
                "learning_rates in tables/params.yaml"
            )


def validation_map(tasks: Sequence[Task], truth: Arrays, cell: Cell) -> float:
    """Mean average precision over the tasks with a validation positive; -inf if it diverged."""
    if "failed" in cell.facts:
        return -math.inf
    by_task = [
        mean_average_precision(t, truth[t.name], cell.probabilities[t.name][: len(truth[t.name])])
        for t in tasks
    ]
    mean = float(mean_of_defined(np.stack(by_task))[0])
    if math.isnan(mean):
        raise ValueError("no validation row is positive in any task: no trial can be judged")
    return mean


def best_rate(name: str, scores: Mapping[Training, float]) -> float:
    """Return the learning rate with the best score; among equals the lowest one."""
    best = max(scores, key=lambda training: (scores[training], -(training.learning_rate or 0)))
    if best.learning_rate is None or math.isinf(scores[best]):
        raise ValueError(f"{name} {best.row.name}: every learning rate diverged; add lower ones")
    return best.learning_rate


def _listed(scores: Mapping[Training, float]) -> str:
    return ", ".join(
        f"{t.learning_rate} {'diverged' if math.isinf(score) else f'{score:.3f}'}"
        for t, score in scores.items()
    )
