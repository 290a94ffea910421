"""A cell of a comparison: one row trained with one seed, and its result as files."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from pipeline import runtime
from pipeline.evaluation.baselines import concatenated_linear, majority, text_linear
from pipeline.evaluation.comparison.rows import Row
from pipeline.evaluation.scores import Arrays, select, validation_scores
from pipeline.ground.code_digest import code_digest
from pipeline.ground.temporaries import write_text
from pipeline.inputs.json_files import read_json
from pipeline.inputs.parquet import read_table, write_table
from pipeline.mtl import Task
from pipeline.params import FusionParams, MTLParams, TrainParams
from pipeline.training.checkpoint import CODE, examples_digest
from pipeline.training.examples import Examples
from pipeline.training.fit import make_repeatable
from pipeline.training.learner import DivergenceError
from pipeline.training.members import train_members
from pipeline.training.model import ModelSpec, fusion_settings, mtl_settings
from pipeline.training.predict import predict
from pipeline.training.shots import few_shots

# The code that decides a cell, below pipeline/.
_NETWORK_CODE = ("evaluation/comparison/cells.py", *CODE)
_LINEAR_CODE = (
    "evaluation/comparison/cells.py",
    "evaluation/scores.py",
    "ground/processes.py",
    "evaluation/baselines.py",
    "training/examples.py",
    "training/shots.py",
)
# Raised whenever the form of a cell's files changes.
FORMAT = 2


@dataclass(frozen=True)
class Problem:
    """What all rows learn: examples and tasks, with one split for all seeds or one for each.

    A seed that `splits` lacks has the examples' own split. `texts` [n] are for the row text_linear.
    """

    examples: Examples
    tasks: tuple[Task, ...]
    encoder: Literal["pooled", "bigru"]
    splits: Mapping[int, np.ndarray] = field(default_factory=dict)
    texts: tuple[str, ...] = ()

    def of_seed(self, seed: int) -> Examples:
        """Return the examples with the seed's split."""
        return replace(self.examples, split=self.splits.get(seed, self.examples.split))

    @cached_property
    def digest(self) -> str:
        """Digest of all but the splits and the texts."""
        examples = examples_digest(self.examples)
        return hashlib.sha256(repr((examples, self.tasks, self.encoder)).encode()).hexdigest()

    @cached_property
    def texts_digest(self) -> str:
        """Digest of the texts."""
        return hashlib.sha256(repr(self.texts).encode()).hexdigest()


@dataclass(frozen=True)
class Training:
    """A row to be trained with a seed and a learning rate (0: a baseline has none)."""

    row: Row
    seed: int
    rate: float = 0.0

    @property
    def name(self) -> str:
        """The name of the cell's files."""
        rate = f"-{self.rate}" if self.rate else ""
        return f"{quote(self.row.name, safe='')}-{self.seed}{rate}"


@dataclass(frozen=True)
class Settings:
    """How networks are built and trained."""

    fusion: FusionParams
    mtl: MTLParams
    train: TrainParams

    def of(self, training: Training) -> Settings:
        """Return the settings of a training: its row's fusion, method and changes, and its rate."""
        row = training.row
        values: dict[str, Any] = {
            "fusion": fusion_settings(row.fusion, self.fusion).model_dump(),
            "mtl": mtl_settings(row.mtl, self.mtl).model_dump(),
            "train": self.train.model_dump(),
        }
        for key, value in {**row.changes, "train.learning_rate": training.rate}.items():
            *sections, name = key.split(".")
            section = values
            for part in sections:
                section = section[part]
            section[name] = value
        return Settings(
            FusionParams(**values["fusion"]),
            MTLParams(**values["mtl"]),
            TrainParams(**values["train"]),
        )


@dataclass(frozen=True)
class Cell:
    """The probabilities [ids, classes] of each task, for the validation rows, then the test rows.

    `facts` holds parameters (not for a baseline without features), and for networks epochs and
    best_epochs. A training that diverged has no probabilities, and the fact `failed`. `identity` is
    the digest of what it was made of.
    """

    ids: list[str]
    probabilities: dict[str, np.ndarray]
    facts: dict[str, Any]
    identity: str

    def sides(self, validation: int) -> tuple[Arrays, Arrays]:
        """Return the probabilities of the first so many rows, and those of the test rows."""
        items = self.probabilities.items()
        return {n: p[:validation] for n, p in items}, {n: p[validation:] for n, p in items}


def train_cell(problem: Problem, settings: Settings, training: Training) -> tuple[Cell, float]:
    """Train a row; returns its cell and the processor's seconds."""
    make_repeatable()
    examples = problem.of_seed(training.seed)
    examples = few_shots(examples, problem.tasks, settings.train.shots, training.seed)
    rows = np.concatenate([examples.rows("val"), examples.rows("test")])
    start = time.process_time()
    of_row = examples.keep([training.row.view]) if training.row.view else examples
    try:
        if training.row.fusion:
            own = settings.of(training)
            probabilities, facts = _network(problem, of_row, own, training.seed, rows)
        else:
            probabilities, facts = _baseline(problem, of_row, training.row.baseline, rows)
    except DivergenceError as error:
        probabilities, facts = {}, {"failed": str(error)}
    except ValueError as error:
        raise ValueError(f"{training.row.title}, seed {training.seed}: {error}") from None
    seconds = time.process_time() - start
    ids = [examples.ids[row] for row in rows]
    return Cell(ids, probabilities, facts, identity(problem, settings, training)), seconds


Result = tuple[dict[str, np.ndarray], dict[str, Any]]


def _network(
    problem: Problem, examples: Examples, settings: Settings, seed: int, rows: np.ndarray
) -> Result:
    params, parts = settings.train, (settings.fusion, settings.mtl, settings.train)
    spec = ModelSpec.of(examples, problem.encoder, problem.tasks, *parts)
    truth = select(examples.targets, examples.rows("val"))
    score = None if params.monitor == "loss" else partial(validation_scores, spec.tasks, truth)
    device = runtime.device()
    trained = train_members(spec, examples, params, seed=seed, score=score, device=device)
    return predict(trained.networks, examples, spec.tasks, rows), trained.facts


def _baseline(problem: Problem, examples: Examples, baseline: str, rows: np.ndarray) -> Result:
    tasks, truth, split = problem.tasks, examples.targets, examples.split
    if baseline == "majority":
        return {t.name: majority(t, truth[t.name], split)[rows] for t in tasks}, {}
    if baseline == "text_linear":
        with threadpool_limits(1):  # the last digits of a solution depend on the number of threads
            predicted = {t.name: text_linear(t, problem.texts, truth[t.name], split) for t in tasks}
        return select(predicted, rows), {}
    outputs = sum(1 if task.binary else len(task.classes) for task in tasks)
    parameters = outputs * (sum(examples.dims.values()) + 1)
    return select(concatenated_linear(tasks, examples), rows), {"parameters": parameters}


def identity(problem: Problem, settings: Settings, training: Training) -> str:
    """Digest of all that decides a cell: its data, its settings, and the code that trains."""
    split = problem.of_seed(training.seed).split
    values: list[object] = [problem.digest, split.tolist(), training.row.name, training.seed]
    if training.row.fusion:
        own = settings.of(training)
        train_params = own.train.model_dump(exclude={"modalities"})
        values += [own.fusion.model_dump(), own.mtl.model_dump(), train_params]
    elif settings.train.shots:
        values.append(settings.train.shots)
    if training.row.baseline == "text_linear":
        values.append(problem.texts_digest)
    values.append(code_digest(_NETWORK_CODE if training.row.fusion else _LINEAR_CODE))
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def write_cell(folder: Path, name: str, cell: Cell, tasks: Sequence[Task]) -> None:
    """Write <name>.parquet (id, `<task>.p.<class>`), then <name>.json with facts and identity.

    A cell without its JSON does not exist. The old one is removed first: the run may be killed
    between the two files, and the old identity must not vouch for new probabilities.
    """
    (folder / f"{name}.json").unlink(missing_ok=True)
    columns = {
        column: cell.probabilities[task.name][:, code]
        for task in tasks
        if task.name in cell.probabilities
        for code, column in enumerate(_columns(task))
    }
    write_table(folder / f"{name}.parquet", pd.DataFrame({"id": cell.ids, **columns}))
    values = {"format": FORMAT, "identity": cell.identity, "facts": cell.facts}
    text = json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n"
    write_text(folder / f"{name}.json", text)


def read_cell(folder: Path, name: str, tasks: Sequence[Task]) -> Cell | None:
    """Read a cell, or None if it does not exist; tasks that it lacks are left out.

    A cell of another format is empty, with an identity that fits nothing, so it is trained again.
    Raises ValueError with the cure where a file is damaged.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    try:
        values = read_json(path, dict[str, Any])
        if values.get("format") != FORMAT:
            return Cell([], {}, {}, "")
        table = read_table(folder / f"{name}.parquet")
        probabilities = {
            task.name: table[_columns(task)].to_numpy()
            for task in tasks
            if set(_columns(task)) <= set(table.columns)
        }
        return Cell(table["id"].tolist(), probabilities, values["facts"], values["identity"])
    except (ValueError, OSError, KeyError, TypeError):
        raise ValueError(f"{folder / name}: the cell is damaged; delete its two files") from None


def _columns(task: Task) -> list[str]:
    return [f"{task.name}.p.{label}" for label in task.classes]
