"""Tuning and cells on a tiny set: the test side unseen, the same bytes again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from pipeline.ground.data_set import SETS
from pipeline.inputs.feature_file import write_features
from stages.tables import files, tune
from stages.tables.cells import cells
from stages.tables.report import report

NAME, ROW = "crisismmd", "hgfn_dmtl"


@pytest.fixture
def small(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project with features to train on, a narrow network and few epochs."""
    random = np.random.default_rng(5)
    index = pd.read_parquet(SETS[NAME].index)
    for modality, dim in (("text", 6), ("visual", 9)):
        arrays = {name: random.normal(size=(1, dim)).astype(np.float32) for name in index["id"]}
        loaders = {name: lambda array=array: array for name, array in arrays.items()}
        write_features(SETS[NAME].features(modality), loaders, dim, {"extractor": "made"})
    yaml = YAML(typ="safe")
    values = yaml.load(project / "params.yaml")
    values["fusion"]["width"] = 8
    values["train"]["max_epochs"] = 3
    yaml.dump(values, project / "params.yaml")
    monkeypatch.setenv("HGFN_WORKERS", "1")
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield project
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)


def one_task(kept: str) -> None:
    """Leave the index as the official split of this task makes it."""
    described = json.loads(SETS[NAME].tasks.read_text())
    SETS[NAME].tasks.write_text(json.dumps([t for t in described if t["name"] == kept]))
    others = {"informative", "humanitarian", "damage"} - {kept}
    index = pd.read_parquet(SETS[NAME].index).drop(columns=list(others))
    index.to_parquet(SETS[NAME].index, index=False)


def rates(project: Path, wanted: str) -> None:
    path = project / "tables" / "params.yaml"
    values = YAML(typ="safe").load(path)
    values["learning_rates"] = YAML(typ="safe").load(wanted)
    YAML(typ="safe").dump(values, path)


def learned(row: str = ROW) -> Any:
    tune.tune(NAME, row)
    return json.loads(files.trials(NAME, row).read_text())


def test_a_row_keeps_the_learning_rate_with_the_best_validation_map(small: Path) -> None:
    trials = learned()
    chosen = json.loads(files.tuned(NAME, ROW).read_text())["learning_rate"]
    assert [trial["learning_rate"] for trial in trials] == [0.0003, 0.001, 0.003]
    assert max(trials, key=lambda trial: trial["map"])["learning_rate"] == chosen


def test_tuning_never_looks_at_the_test_side(small: Path) -> None:
    before = learned()
    index = pd.read_parquet(SETS[NAME].index)
    test = index["split"] == "test"
    for task in ("informative", "humanitarian", "damage"):
        index.loc[test, task] = 1 - index.loc[test, task].clip(upper=1)
    index.to_parquet(SETS[NAME].index, index=False)
    assert learned() == before


def test_the_trial_that_won_is_the_cell_of_its_seed(small: Path) -> None:
    kept = [files.place_of_one(NAME, ROW, 0).probabilities, files.place_of_one(NAME, ROW, 0).facts]
    learned()
    found = [path.read_bytes() for path in kept]
    cells(NAME, ROW, "0")
    assert [path.read_bytes() for path in kept] == found


def test_trials_side_by_side_are_the_same_bytes(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [
        files.place_of_one(NAME, ROW, 0).probabilities,
        files.place_of_one(NAME, ROW, 0).facts,
        files.trials(NAME, ROW),
    ]
    learned()
    alone = [path.read_bytes() for path in kept]
    monkeypatch.setenv("HGFN_WORKERS", "3")
    learned()
    assert [path.read_bytes() for path in kept] == alone


def test_of_equal_trials_the_lowest_rate_wins() -> None:
    trials = [tune.Trial(rate, score=score) for rate, score in ((0.1, 0.5), (0.01, 0.5), (0.2, 0))]
    assert tune.choose(trials).learning_rate == 0.01


def test_a_validation_side_without_a_positive_cannot_judge_trials(small: Path) -> None:
    one_task("informative")
    described = json.loads(SETS[NAME].tasks.read_text())
    SETS[NAME].tasks.write_text(json.dumps([{**described[0], "head": "sigmoid"}]))
    index = pd.read_parquet(SETS[NAME].index)
    index.loc[index["split"] == "val", "informative"] = 0
    index.to_parquet(SETS[NAME].index, index=False)
    with pytest.raises(ValueError, match="no validation row is positive in any task"):
        tune.tune(NAME, ROW)


def test_a_diverged_trial_is_told_and_not_chosen(small: Path) -> None:
    rates(small, "[0.0003, 1.0e+30]")
    trials = learned()
    assert "training diverged" in trials[1]["failed"]
    assert json.loads(files.tuned(NAME, ROW).read_text()) == {"learning_rate": 0.0003}


def test_without_a_finite_trial_there_is_nothing_to_choose(small: Path) -> None:
    rates(small, "[1.0e+30]")
    with pytest.raises(ValueError, match="crisismmd hgfn_dmtl: every learning rate diverged"):
        tune.tune(NAME, ROW)


def test_a_cell_is_the_same_bytes_again_but_for_its_time(small: Path) -> None:
    files.write_json(files.tuned(NAME, ROW), {"learning_rate": 0.003})
    kept = [files.place_of_one(NAME, ROW, 0).probabilities, files.place_of_one(NAME, ROW, 0).facts]
    cells(NAME, ROW, "0")
    first = [path.read_bytes() for path in kept]
    cells(NAME, ROW, "0")
    assert [path.read_bytes() for path in kept] == first
    assert json.loads(kept[1].read_text())["learning_rate"] == 0.003
    assert json.loads(files.place_of_one(NAME, ROW, 0).timing.read_text())["seconds"] > 0


def test_a_span_gives_each_seed_the_cell_that_it_has_alone(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_json(files.tuned(NAME, ROW), {"learning_rate": 0.003})
    monkeypatch.setenv("HGFN_WORKERS", "2")
    cells(NAME, ROW, "3-4")
    for seed in (3, 4):
        cells(NAME, ROW, str(seed))
        one, beside = files.place_of_one(NAME, ROW, seed), files.Place(NAME, ROW, "3-4", seed)
        assert one.probabilities.read_bytes() == beside.probabilities.read_bytes()
        assert one.facts.read_bytes() == beside.facts.read_bytes()
        assert beside.timing.exists()


@pytest.mark.parametrize(("workers", "span"), [("1", "3"), ("2", "3-4")])
def test_a_training_that_diverges_is_told_by_row_and_seed_with_the_cure(
    small: Path, monkeypatch: pytest.MonkeyPatch, workers: str, span: str
) -> None:
    files.write_json(files.tuned(NAME, ROW), {"learning_rate": 1e30})
    monkeypatch.setenv("HGFN_WORKERS", workers)
    told = (
        r"^crisismmd hgfn_dmtl: with seed [34] the training diverged .* 1e\+30; take it out of lea"
    )
    with pytest.raises(ValueError, match=told):
        cells(NAME, ROW, span)


def test_entries_that_overlap_are_refused_before_they_are_trained(small: Path) -> None:
    files.write_json(files.tuned(NAME, ROW), {"learning_rate": 0.003})
    path = small / "tables" / "params.yaml"
    values = YAML(typ="safe").load(path) | {"further_seeds": ["3-4", 3]}
    YAML(typ="safe").dump(values, path)
    with pytest.raises(ValueError, match="further_seeds: seed 3 stands there twice"):
        cells(NAME, ROW, "3-4")


def test_what_training_lacks_is_told_once_a_stage(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write_json(files.tuned(NAME, ROW), {"learning_rate": 0.003})
    index = pd.read_parquet(SETS[NAME].index)
    index.loc[index["split"] == "train", "damage"] = pd.NA
    index.to_parquet(SETS[NAME].index, index=False)
    cells(NAME, ROW, "3-4")
    told = capsys.readouterr().out
    assert told.count("crisismmd: training lacks, so left out: damage") == 1


def test_another_seed_is_another_training(small: Path) -> None:
    files.write_json(files.tuned(NAME, ROW), {"learning_rate": 0.003})
    cells(NAME, ROW, "0")
    cells(NAME, ROW, "3")
    one, other = (
        pd.read_parquet(files.place_of_one(NAME, ROW, seed).probabilities) for seed in (0, 3)
    )
    assert one["id"].equals(other["id"])
    assert not one.equals(other)


def test_trained_cells_make_the_tables(small: Path) -> None:
    for row in ("cfc_lsew", "hgfn_dmtl", "dmf_lsew"):
        files.write_json(files.tuned(NAME, row), {"learning_rate": 0.003})
        for seed in (0, 3):
            cells(NAME, row, str(seed))
    report()
    found = pd.read_csv(files.TABLES / "table_2.csv")
    assert found["mean"].between(0, 1).all()
    assert (found["learning_rate"] == 0.003).all()


@pytest.mark.parametrize("row", ["cfc_lsew", "cfc_moo", "cfc_mtinet", "hgfn_dmtl"])
def test_every_method_learns_the_one_task_of_an_official_split(small: Path, row: str) -> None:
    one_task("humanitarian")
    files.write_json(files.tuned(NAME, row), {"learning_rate": 0.003})
    cells(NAME, row, "0")
    found = pd.read_parquet(files.place_of_one(NAME, row, 0).probabilities)
    assert {column.partition(".")[0] for column in found} == {"id", "humanitarian"}


def test_a_layout_without_tables_is_refused_before_any_training(small: Path) -> None:
    yaml = YAML(typ="safe")
    values = yaml.load(small / "params.yaml")
    values["data"]["crisismmd"]["layout"] = "binary"
    yaml.dump(values, small / "params.yaml")
    told = "data.crisismmd.layout is 'binary': Tables I-III have one task a concept; set it to gro"
    with pytest.raises(ValueError, match=told):
        tune.tune(NAME, ROW)


def test_a_cell_without_tuning_says_what_to_run(small: Path) -> None:
    with pytest.raises(ValueError, match=r"hgfn_dmtl\.json is missing; run `dvc repro tables"):
        cells(NAME, ROW, "0")
