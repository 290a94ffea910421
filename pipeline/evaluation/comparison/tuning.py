"""Cells of the paper's tables: each row's learning rate is tuned, then its seeds are trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator

from pipeline import runtime
from pipeline.evaluation.comparison.cells import Cell, Problem, Settings, Training
from pipeline.evaluation.comparison.rows import Row, row_named
from pipeline.evaluation.comparison.runner import run_trainings
from pipeline.evaluation.scores import Arrays, select, unscored, unscored_notes, validation_scores
from pipeline.ground.checked_yaml import Section, load_checked
from pipeline.ground.data_set import DataSet
from pipeline.ground.messages import echo
from pipeline.inputs.parquet import read_table
from pipeline.mtl import Task
from pipeline.params import Params, Seed, each_once
from pipeline.training.examples import load_training_set

FOLDER = Path("tables")


def _check_row(name: str) -> str:
    row_named(name)
    return name


RowName = Annotated[str, AfterValidator(_check_row)]
Rate = Annotated[float, Field(gt=0)]
OnceEach = AfterValidator(each_once)


class TableParams(Section):
    """All of tables/params.yaml."""

    rows: Annotated[list[RowName], Field(min_length=1), OnceEach]
    ablation: Annotated[list[RowName], OnceEach]
    learning_rates: Annotated[list[Rate], Field(min_length=1), OnceEach]
    seeds: Annotated[list[Seed], Field(min_length=2), OnceEach]  # a single seed has no deviation
    tuning_seed: Seed
    resamples: Annotated[int, Field(ge=100)]  # fewer say little of the 2.5th percentile

    @field_validator("ablation", "tuning_seed")
    @classmethod
    def _check_disjoint(cls, value: list[str] | int, info: Any) -> list[str] | int:
        other = {"ablation": "rows", "tuning_seed": "seeds"}[info.field_name]
        if set(value if isinstance(value, list) else [value]) & set(info.data.get(other, [])):
            raise ValueError(f"none of those in {other}")
        return value

    def trials(self, row: Row) -> list[Training]:
        """The trainings of a row that choose its learning rate, with a seed of their own."""
        return [Training(row, self.tuning_seed, rate) for rate in sorted(self.learning_rates)]

    def of_seeds(self, row: Row, rate: float) -> list[Training]:
        """The trainings of a row with every seed; none of them is a trial."""
        return [Training(row, seed, rate) for seed in self.seeds]

    def parsed_rows(self) -> list[Row]:
        """The rows of both lists."""
        return [row_named(name) for name in [*self.rows, *self.ablation]]


def load_table_params() -> TableParams:
    """Read and check tables/params.yaml; ValueError has one line for each wrong key."""
    return load_checked(FOLDER / "params.yaml", TableParams)


def train_cells(data: DataSet, params: Params, tables: TableParams) -> None:
    """Train the missing cells of tables/<set>: every row's trials, then its seeds."""
    if data.name == "crisismmd" and params.data.crisismmd.layout == "binary":
        raise ValueError(
            "data.crisismmd.layout is 'binary', which has no tables; set it to grouped"
        )
    copies = 1 + runtime.workers()  # each training process gets its own
    examples, tasks, notes = load_training_set(data, data.modalities, copies)
    truth = select(examples.targets, examples.rows("val"))
    for note in [*notes, *unscored_notes(tasks, truth, "validation")]:
        echo(f"{data.name}: {note}")
    problem = Problem(examples, tasks, data.encoder_of(read_table(data.index)))
    settings = Settings(params.fusion, params.mtl, params.train)
    run = partial(run_trainings, problem, settings, folder=FOLDER / data.name, retrain=True)
    for row, tuned in tune(tables, tasks, truth, run).items():
        scores = ", ".join(
            f"{t.rate} {'diverged' if math.isinf(score) else f'{score:.3f}'}"
            for t, score in tuned.trials.items()
        )
        echo(f"{data.name} {row.name}: validation MAP by learning rate: {scores}")


@dataclass(frozen=True)
class Tuned:
    """A row's trials with their validation MAP, and its cell of each seed at the best rate."""

    trials: dict[Training, float]
    cells: dict[Training, Cell]


def tune(
    tables: TableParams,
    tasks: Sequence[Task],
    truth: Arrays,
    cells_of: Callable[[list[Training]], dict[Training, Cell]],
) -> dict[Row, Tuned]:
    """Choose every row's learning rate by its trials, and return its cells at that rate.

    `truth` is that of the validation rows; `cells_of` trains cells, or reads them. Raises
    ValueError if every trial of a row diverged, or a further seed did at the chosen rate.
    """
    rows = tables.parsed_rows()
    trials = cells_of([trial for row in rows for trial in tables.trials(row)])
    scores = {
        row: validation_maps(tasks, truth, {t: trials[t] for t in tables.trials(row)})
        for row in rows
    }
    chosen = {}
    for row in rows:
        best = best_trial(scores[row])
        if best is None:
            raise ValueError(f"{row.name}: every learning rate diverged; add lower ones")
        chosen[row] = tables.of_seeds(row, best.rate)
    cells = cells_of([training for row in rows for training in chosen[row]])
    for training, cell in cells.items():
        if "failed" in cell.facts:
            raise ValueError(
                f"{training.row.name}: with seed {training.seed} the training diverged at the "
                f"tuned learning rate {training.rate}; remove it from learning_rates in "
                "tables/params.yaml"
            )
    return {row: Tuned(scores[row], {t: cells[t] for t in chosen[row]}) for row in rows}


def validation_maps(
    tasks: Sequence[Task], truth: Arrays, cells: Mapping[Training, Cell]
) -> dict[Training, float]:
    """Return the mean MAP of each cell on the validation rows; -inf where training diverged.

    Raises ValueError where no validation row has a positive.
    """
    return {training: _validation_map(tasks, truth, cell) for training, cell in cells.items()}


def _validation_map(tasks: Sequence[Task], truth: Arrays, cell: Cell) -> float:
    if "failed" in cell.facts:
        return -math.inf
    # The tasks that training left out are in no cell.
    trained = [task for task in tasks if task.name in cell.probabilities]
    if len(unscored(trained, truth)) == len(trained):
        raise ValueError("no validation row is positive in any task: no trial can be judged")
    of_val, _ = cell.sides(len(next(iter(truth.values()))))
    return validation_scores(trained, truth, of_val)["mean_map"]


def best_trial(scores: Mapping[Training, float]) -> Training | None:
    """Return the trial with the best score, among equals that of the lowest learning rate.

    None if every trial diverged.
    """
    best = max(scores, key=lambda training: (scores[training], -training.rate))
    return None if math.isinf(scores[best]) else best
