"""A small problem of two views, and a project folder with the cells of the tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.evaluation.comparison.cells import Cell, Problem, Settings, write_cell
from pipeline.evaluation.comparison.compare import SETTINGS
from pipeline.evaluation.comparison.paper import CONCEPTS
from pipeline.evaluation.comparison.tuning import load_table_params
from pipeline.ground.data_set import SETS
from pipeline.inputs.parquet import write_table
from pipeline.mtl import Task
from pipeline.training.examples import Examples

ROOT = Path(__file__).resolve().parents[3]
ROWS = ["cfc_lsew", "hgfn_dmtl", "dmf_lsew"]
SEEDS = [0, 3]
TUNING_SEED = 7
RATES = [0.0003, 0.001]
LABELS = [
    Task(name, ("absent", "present"), negative="absent", head="sigmoid")
    for name in ("left", "right")
]
TASKS = {
    "crisismmd": [
        Task("informative", ("not_informative", "informative"), negative="not_informative"),
        Task("humanitarian", ("none", "aid", "other"), negative="none"),
        Task("damage", ("little", "mild", "severe"), negative="little"),
    ],
    "youtube": [
        Task(concept, ("absent", "present"), negative="absent", head="sigmoid")
        for concept in CONCEPTS
    ],
}


@pytest.fixture
def made() -> Callable[[int], Problem]:
    """Problems of so many rows: each label is a sign in one view; every 7th row lacks `a`."""

    def make(rows: int) -> Problem:
        random = np.random.default_rng(0)
        views = {name: random.normal(size=(rows, 3)).astype(np.float32) for name in ("a", "b")}
        targets = {
            "left": (views["a"][:, 0] > 0).astype(np.int64),
            "right": (views["b"][:, 0] > 0).astype(np.int64),
        }
        sequences = {name: [row[None] for row in values] for name, values in views.items()}
        sequences["a"][::7] = [row[:0] for row in sequences["a"][::7]]
        split = np.repeat(["train", "val", "test"], rows // 3)
        ids = [f"s{row}" for row in range(rows)]
        return Problem(Examples(ids, split, sequences, targets), tuple(LABELS), "pooled")

    return make


@pytest.fixture
def problem(made: Callable[[int], Problem]) -> Problem:
    return made(60)


@pytest.fixture
def settings() -> Settings:
    """Narrow networks and few epochs."""
    train = SETTINGS.train.model_copy(update={"max_epochs": 2, "batch_size": 16})
    fusion = SETTINGS.fusion.model_copy(update={"width": 16})
    return replace(SETTINGS, train=train, fusion=fusion)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder, and the current one, in which all cells of the tables are there."""
    monkeypatch.chdir(tmp_path)
    yaml = YAML(typ="safe")
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    values = yaml.load(ROOT / "tables" / "params.yaml")
    (tmp_path / "tables").mkdir()
    values |= {"rows": ROWS, "ablation": [], "seeds": SEEDS, "tuning_seed": TUNING_SEED}
    values |= {"learning_rates": RATES, "resamples": 100}
    yaml.dump(values, tmp_path / "tables" / "params.yaml")
    for name in SETS:
        _write_set(name)
    return tmp_path


def _write_set(name: str, count: int = 60) -> None:
    """An index with groups of two, and cells in which the second trial is the better one."""
    random = np.random.default_rng(len(name))
    index = pd.DataFrame(
        {
            "id": [f"s{i:03}" for i in range(count)],
            "group": [f"g{i // 2}" for i in range(count)],
            "split": [("train", "val", "test")[i // 2 % 3] for i in range(count)],
        }
    )
    for task in TASKS[name]:
        labels = pd.Series(random.integers(0, len(task.classes), count), dtype="Int64")
        index[task.name] = labels.mask(random.random(count) < 0.1)
    SETS[name].folder.mkdir(parents=True)
    write_table(SETS[name].index, index)
    described = [{**vars(task), "classes": list(task.classes)} for task in TASKS[name]]
    SETS[name].tasks.write_text(json.dumps(described))
    tables, folder = load_table_params(), Path("tables") / name
    seconds = {}
    for place, row in enumerate(tables.parsed_rows()):
        trials = tables.trials(row)
        for training in [*trials, *tables.of_seeds(row, RATES[1])]:
            strength = -5.0 if training == trials[0] else float(place)
            cell = _cell(name, index, strength, random)
            write_cell(folder / "cells", training.name, cell, TASKS[name])
            seconds[training.name] = 1.5 + training.seed
    (folder / "seconds.json").write_text(json.dumps(seconds))


def _cell(name: str, index: pd.DataFrame, strength: float, random: np.random.Generator) -> Cell:
    rows = pd.concat([index[index["split"] == side] for side in ("val", "test")])
    probabilities = {}
    for task in TASKS[name]:
        hot = np.eye(len(task.classes))[rows[task.name].fillna(0).to_numpy(int)]
        raw = np.exp(random.random(hot.shape) + 0.4 * strength * hot)
        probabilities[task.name] = raw / raw.sum(axis=1, keepdims=True)
    return Cell(rows["id"].tolist(), probabilities, {"parameters": 1000, "epochs": 7}, "")
