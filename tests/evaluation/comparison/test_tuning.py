"""tables/params.yaml, the choice of learning rates, and the cells of the tables."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from pipeline.evaluation.comparison import paper
from pipeline.evaluation.comparison.cells import Cell, Training
from pipeline.evaluation.comparison.tables import write_tables
from pipeline.evaluation.comparison.tuning import (
    TableParams,
    load_table_params,
    train_cells,
    tune,
)
from pipeline.ground.checked_yaml import load_checked
from pipeline.ground.data_set import SETS
from pipeline.inputs.feature_file import write_features
from pipeline.inputs.parquet import read_table, write_table
from pipeline.mtl import Task
from pipeline.params import load_params

ROOT = Path(__file__).resolve().parents[3]
DELIVERED = ROOT / "tables" / "params.yaml"
NAME = "crisismmd"
CELLS = Path("tables") / NAME / "cells"


def test_the_delivered_file_has_the_papers_rows_two_of_dmf_controls_and_five_seeds() -> None:
    params = load_checked(DELIVERED, TableParams)
    assert params.ablation[0] == "projected_lsew"
    assert 0.01 in params.learning_rates  # the paper's
    assert params.rows[:8] == list(paper.INFORMATIVE)
    assert params.rows[8:] == ["dmf_lsew", "dmf_dmtl"]
    assert params.seeds == [0, 1, 2, 3, 4]
    assert params.resamples == 1000


SEEDS = "seeds: [0, 1, 2, 3, 4]"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (SEEDS, "seeds: [1, 1]", "seeds is [1, 1]; allowed: each value once"),
        (SEEDS, "seeds: [1]", "seeds is [1]; allowed: at least 2 items"),
        (SEEDS, "seeds: [1, true]", "seeds.1 is True; allowed: a valid integer"),
        ("- cfc_lsew", "- lsew_cfc", "rows.0 is 'lsew_cfc'; allowed: <fusion>_<method> with one"),
        ("- cfc_lsew", "- hgfn", "rows.0 is 'hgfn'; allowed: <fusion>_<method> with one"),
        ("seed: 5", "seed: 4", "tuning_seed is 4; allowed: none of those in seeds"),
        ("- projected_lsew", "- cfc_lsew", "ablation is ['cfc_lsew', "),
        ("resamples: 1000", "resample: 1000", "unknown key resample (did you mean resamples?)"),
        ("[0.0003", "[.nan", "learning_rates.0 is nan; allowed: "),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str
) -> None:
    text = DELIVERED.read_text()
    assert old in text
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "params.yaml").write_text(text.replace(old, new, 1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=re.escape(f"tables/params.yaml: {message}")):
        load_table_params()


VICTIM = Task("victim", ("absent", "present"), negative="absent", head="sigmoid")
PARAMS = TableParams(
    rows=["hgfn_dmtl"],
    ablation=[],
    learning_rates=[0.1, 0.01, 0.2],
    seeds=[0, 3],
    tuning_seed=1,
    resamples=100,
)
POSITIVE_FIRST = np.array([1, 0])


def tuned_rate(scores: dict[float, list[float]], truth: np.ndarray = POSITIVE_FIRST) -> float:
    """Choose from trials that score two validation rows, then test rows; no score: diverged."""

    def cells_of(trainings: list[Training]) -> dict[Training, Cell]:
        return {t: cell(np.array(scores[t.rate])) for t in trainings}

    def cell(values: np.ndarray) -> Cell:
        probabilities = {"victim": np.stack([1 - values, values], axis=1)}
        return Cell([], probabilities if len(values) else {}, {} if len(values) else FAILED, "")

    (tuned,) = tune(PARAMS, [VICTIM], {"victim": truth}, cells_of).values()
    assert [training.seed for training in tuned.cells] == [0, 3]
    (rate,) = {training.rate for training in tuned.cells}
    return rate


FAILED = {"failed": "the training diverged"}
RIGHT, WRONG = [0.9, 0.1], [0.1, 0.9]


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({0.1: RIGHT, 0.01: WRONG, 0.2: WRONG}, 0.1),
        ({0.1: RIGHT, 0.01: RIGHT, 0.2: WRONG}, 0.01),  # the lower of two equal ones
        ({0.1: [], 0.01: WRONG, 0.2: RIGHT}, 0.2),  # one diverged
        ({0.1: [*RIGHT, 0.0, 1.0], 0.01: [*WRONG, 1.0, 0.0], 0.2: WRONG}, 0.1),  # test rows
    ],
)
def test_the_learning_rate_is_the_best_one_on_validation_alone(
    scores: dict[float, list[float]], expected: float
) -> None:
    assert tuned_rate(scores) == expected


def test_no_reported_cell_was_a_trial() -> None:
    (row,) = PARAMS.parsed_rows()
    trials = {(training.seed, training.rate) for training in PARAMS.trials(row)}
    for rate in PARAMS.learning_rates:
        assert trials.isdisjoint((t.seed, t.rate) for t in PARAMS.of_seeds(row, rate))


def test_without_a_finite_trial_or_a_positive_there_is_nothing_to_choose() -> None:
    with pytest.raises(ValueError, match="hgfn_dmtl: every learning rate diverged"):
        tuned_rate({0.1: [], 0.01: [], 0.2: []})
    with pytest.raises(ValueError, match="no validation row is positive in any task"):
        tuned_rate({0.1: RIGHT, 0.01: RIGHT, 0.2: RIGHT}, np.array([0, 0]))


@pytest.fixture
def small(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project without CrisisMMD's cells: features to train on, one row, few epochs."""
    random = np.random.default_rng(5)
    index = read_table(SETS[NAME].index)
    for modality, dim in (("text", 6), ("visual", 9)):
        arrays = {name: random.normal(size=(1, dim)).astype(np.float32) for name in index["id"]}
        path = SETS[NAME].features(modality)
        write_features(path, sorted(arrays.items()), dim, {"extractor": "made"})
    change("params.yaml", fusion={"width": 8}, train={"max_epochs": 3})
    change("tables/params.yaml", rows=["hgfn_dmtl"])
    for path in CELLS.iterdir():
        path.unlink()
    monkeypatch.setenv("HGFN_WORKERS", "1")
    strict = torch.are_deterministic_algorithms_enabled()
    yield project
    torch.use_deterministic_algorithms(strict)


def change(path: str, **changes: Any) -> None:
    yaml = YAML(typ="safe")
    values = yaml.load(Path(path))
    for key, value in changes.items():
        values[key] = values[key] | value if isinstance(value, dict) else value
    yaml.dump(values, Path(path))


def train() -> list[str]:
    """Train the cells; returns the lines that were printed."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        train_cells(SETS[NAME], load_params(), load_table_params())
    return printed.getvalue().splitlines()


def content() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in CELLS.iterdir()}


def one_task(name: str) -> None:
    """Leave the index as the official split of this task makes it."""
    described = json.loads(SETS[NAME].tasks.read_text())
    SETS[NAME].tasks.write_text(json.dumps([t for t in described if t["name"] == name]))
    others = {"informative", "humanitarian", "damage"} - {name}
    index = read_table(SETS[NAME].index).drop(columns=list(others))
    write_table(SETS[NAME].index, index)


def test_a_row_has_trials_of_the_tuning_seed_and_their_best_rate_for_every_seed(
    small: Path,
) -> None:
    (message,) = train()
    scores = dict(zip(*[iter(message.split(": ")[2].replace(",", "").split())] * 2, strict=True))
    best = max(scores, key=lambda rate: float(scores[rate]))
    assert {path.stem for path in CELLS.iterdir()} == {
        "hgfn_dmtl-7-0.0003",
        "hgfn_dmtl-7-0.001",
        f"hgfn_dmtl-0-{best}",
        f"hgfn_dmtl-3-{best}",
    }
    first, other = (read_table(CELLS / f"hgfn_dmtl-{seed}-{best}.parquet") for seed in (0, 3))
    assert first["id"].equals(other["id"])
    assert not first.equals(other)
    write_tables(load_params(), load_table_params())
    assert pd.read_csv("tables/results/tables/table_2.csv")["mean"].between(0, 1).all()


def test_a_diverged_trial_is_logged_and_not_chosen(small: Path) -> None:
    change("tables/params.yaml", learning_rates=[0.0003, 1.0e30])
    (message,) = train()
    assert message.endswith(", 1e+30 diverged")
    assert (CELLS / "hgfn_dmtl-3-0.0003.json").exists()


def test_a_task_that_cannot_be_judged_on_validation_is_named(small: Path) -> None:
    path = SETS[NAME].index
    index = read_table(path)
    negative = index["informative"].mask(index["split"] == "val", 0)
    write_table(path, index.assign(informative=negative))
    note, _ = train()
    assert note == f"{NAME}: left out of the means, without a positive validation row: informative"


@pytest.mark.parametrize("row", ["cfc_lsew", "cfc_moo", "cfc_mtinet", "hgfn_dmtl"])
def test_every_method_learns_the_one_task_of_an_official_split(small: Path, row: str) -> None:
    one_task("humanitarian")
    change("tables/params.yaml", rows=[row], learning_rates=[0.001])
    train()
    table = read_table(CELLS / f"{row}-0-0.001.parquet")
    assert {column.partition(".")[0] for column in table} == {"id", "humanitarian"}


def test_a_layout_without_tables_is_refused_before_any_training(small: Path) -> None:
    change(
        "params.yaml",
        data={"crisismmd": {**load_params().data.crisismmd.model_dump(), "layout": "binary"}},
    )
    with pytest.raises(ValueError, match="layout is 'binary', which has no tables"):
        train()
    assert not content()
