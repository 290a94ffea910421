"""All stages of both sets on a tiny input: what they write, and that they write it again."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from pipeline.ground.data_set import SETS
from pipeline.inputs.feature_file import FeatureFile
from pipeline.training.model import load_model
from stages.train import train
from tests.stages.runs import prepare, run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
DIMS = {"visual": 2048, "text": 256, "audio": 1024}
MEANS = {"f1", "hl", "map"}
SCORES = {"accuracy", "f1_micro", "f1_macro", "f1_weighted", "support"}


@pytest.fixture(scope="module")
def project(tiny_project: Path) -> Path:
    return tiny_project


@pytest.fixture(scope="module", params=list(SETS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.heavy
def test_a_run_over_another_writes_the_same_bytes_and_into_no_old_file(
    project: Path, tmp_path: Path
) -> None:
    other = tmp_path / "another folder"
    prepare(other, project.parent / "sources")
    files = {path.relative_to(project) for path in project.rglob("*") if path.is_file()}
    made = files - {Path("params.yaml"), Path("output.txt")}
    for file in made:
        (other / file).parent.mkdir(parents=True, exist_ok=True)
        os.link(project / file, other / file)
    (other / "output.txt").write_text(run(other, list(SETS)))
    assert files == {path.relative_to(other) for path in other.rglob("*") if path.is_file()}
    different = [
        str(file) for file in files if (project / file).read_bytes() != (other / file).read_bytes()
    ]
    # A file that was written in place is still the other folder's.
    in_place = [str(file) for file in made if (project / file).samefile(other / file)]
    shutil.rmtree(other / "data" / "weights")
    assert different == []
    assert in_place == []


def test_the_index_has_its_columns_and_a_split_of_whole_groups(project: Path, name: str) -> None:
    table = pd.read_parquet(project / f"data/{name}/index.parquet")
    described = json.loads((project / f"data/{name}/tasks.json").read_text())
    tasks = [task["name"] for task in described]
    fixed = ["id", "group", "event", "split", "text", "image", "video", "audio", "start", "end"]
    assert list(table) == [*fixed, "leaks", *tasks]
    assert table["id"].is_unique
    assert table["id"].is_monotonic_increasing
    assert set(table["split"]) == {"train", "val", "test"}
    assert table.groupby("group")["split"].nunique().max() == 1
    for task in described:
        assert set(task) >= {"name", "classes", "negative"}
        labels = table[task["name"]]
        assert labels.dtype == "Int64"
        assert labels.dropna().isin(range(len(task["classes"]))).all()
    for column in ("image", "video", "audio"):
        for path in table[column].dropna():
            assert (project / f"data/{name}/raw" / path).is_file()


def test_feature_files_hold_every_sample_in_the_fixed_format(project: Path, name: str) -> None:
    ids = pd.read_parquet(project / f"data/{name}/index.parquet")["id"].tolist()
    for modality in SETS[name].modalities:
        path = project / f"data/{name}/features/{modality}.h5"
        with h5py.File(path) as file:
            assert set(file) == {"ids", "offsets", "values", "present"}
            assert all(dataset.fletcher32 for dataset in file.values())
            assert file["values"].shape == (file["offsets"][-1], DIMS[modality])
            assert file["values"].dtype == np.float32
            assert {"format", "modality", "version", "weights"} <= set(file.attrs)
            assert len(file.attrs["weights"]) == 64
        features = FeatureFile(path)
        assert features.ids == ids
        lengths = [len(array) for array in features.rows()]
        assert [length > 0 for length in lengths] == features.present.tolist()
        if modality == "visual":
            assert set(lengths) <= {0, 1 if name == "crisismmd" else 2}


def test_failures_are_those_of_the_stages_together(project: Path, name: str) -> None:
    columns = ["id", "modality", "kind", "message"]
    table = pd.read_csv(project / f"data/{name}/failures.csv")
    assert list(table) == columns
    parts = [
        pd.read_csv(project / f"data/{name}/failures/{stage}.csv")
        for stage in ("index", *SETS[name].modalities)
    ]
    assert all(list(part) == columns for part in parts)
    assert len(table) == sum(map(len, parts))
    assert table["kind"].notna().all()
    assert table["message"].notna().all()


def test_the_model_is_read_back_with_what_it_was_made_of(project: Path, name: str) -> None:
    folder = project / "models" / name
    networks, spec = load_model(folder)
    assert set(spec.modalities) == set(SETS[name].modalities)
    assert (spec.fusion.name, spec.mtl.name, spec.fusion.width) == ("hgfn", "dmtl", 8)
    assert all(parameter.isfinite().all() for parameter in networks.parameters())
    described = json.loads((folder / "config.json").read_text())
    assert len(networks) == spec.members == len(described["best_epochs"]) == 2
    assert described["epochs"] == 4
    assert set(described["best_epochs"]) <= {0, 1}
    assert set(described["labelled"]) == {task.name for task in spec.tasks}
    sources = described["features"]
    assert set(sources) == set(SETS[name].modalities)
    assert {source["weights_origin"] for source in sources.values()} == {"untrained"}
    assert described["parameters"] == sum(p.numel() for p in networks.parameters())


def test_metrics_are_finite_scalars_for_each_task_and_their_mean(project: Path, name: str) -> None:
    scores = json.loads((project / f"metrics/{name}.json").read_text())
    _, spec = load_model(project / "models" / name)
    check_scores(scores, {task.name for task in spec.tasks})
    baselines = json.loads((project / f"metrics/{name}_baselines.json").read_text())
    singles = {f"single_{modality}" for modality in SETS[name].modalities}
    assert set(baselines) == {"majority", "text_linear", "best_single", *singles}
    assert baselines["best_single"] in [baselines[single] for single in singles]
    for values in baselines.values():
        check_scores(values, {task.name for task in spec.tasks})
        supports = {task: v["support"] for task, v in values.items() if task != "mean"}
        assert supports == {task: v["support"] for task, v in scores.items() if task != "mean"}


def check_scores(scores: dict[str, dict[str, float]], tasks: set[str]) -> None:
    assert set(scores) == {*tasks, "mean"}
    # The few clips of these sources have no positive in test.
    assert scores["mean"]["tasks"] == sum("map" in scores[task] for task in tasks)
    means = MEANS if scores["mean"]["tasks"] else set()
    assert set(scores["mean"]) == means | {"tasks"}
    for task, values in scores.items():
        assert all(math.isfinite(value) for value in values.values())
        if task != "mean":
            scored = MEANS if "map" in values else {"hl"}
            assert set(values) >= SCORES | scored or values == {"support": 0}


def test_predictions_are_one_row_a_sample_with_probabilities(project: Path, name: str) -> None:
    table = pd.read_parquet(project / f"predictions/{name}.parquet")
    index_table = pd.read_parquet(project / f"data/{name}/index.parquet")
    assert table["id"].tolist() == index_table["id"].tolist()
    assert table["split"].tolist() == index_table["split"].tolist()
    _, spec = load_model(project / "models" / name)
    for task in spec.tasks:
        expected = index_table[task.name].astype("Float64").fillna(-1).tolist()
        assert table[task.name].astype("Float64").fillna(-1).tolist() == expected
        probabilities = table[[f"{task.name}.p.{label}" for label in task.classes]].to_numpy()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        assert table[f"{task.name}.predicted"].isin(range(len(task.classes))).all()


def test_plots_are_logged_written_and_drawn(project: Path, name: str) -> None:
    plots = project / "plots" / name
    _, spec = load_model(project / "models" / name)
    for task in spec.tasks:
        for group in ("loss/train", "weight"):
            log = pd.read_csv(plots / f"live/plots/metrics/{group}/{task.name}.tsv", sep="\t")
            assert list(log) == ["step", task.name]
            assert log["step"].tolist() == [0, 1, 2, 3]  # of both members
        assert (plots / f"evaluation/pr/{task.name}.csv").is_file()
        assert (plots / f"evaluation/confusion/{task.name}.csv").is_file()
    assert len(list((plots / "figures").glob("*.png"))) == 4


def test_each_stage_tells_its_result_in_one_line(project: Path) -> None:
    lines = (project / "output.txt").read_text().splitlines()
    for start in ("weights: ", "crisismmd: ", "crisismmd visual: ", "youtube audio: "):
        assert any(line.startswith(start) for line in lines), start
    assert sum("test F1" in line for line in lines) == 2


def test_a_choice_of_modalities_that_a_set_lacks_is_an_error(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yaml = YAML(typ="safe")
    values = yaml.load(project / "params.yaml")
    values["train"]["modalities"] = ["audio"]
    yaml.dump(values, tmp_path / "params.yaml")
    (tmp_path / "data").symlink_to(project / "data")
    monkeypatch.chdir(tmp_path)
    try:
        with pytest.raises(ValueError, match="none of crisismmd's: text, visual"):
            train("crisismmd")
    finally:
        torch.use_deterministic_algorithms(False)


def test_the_page_shows_each_test_sample_with_its_photo_or_frames(project: Path, name: str) -> None:
    page = (project / f"reports/{name}.html").read_text()
    predictions = pd.read_parquet(project / f"predictions/{name}.parquet")
    test = predictions[predictions["split"] == "test"]
    cards = page.split('<article class="card"')[1:]
    assert len(cards) == len(test)
    kind = "Photo" if name == "crisismmd" else "Four frames of the clip"
    for sample, present in zip(test["id"], test["visual.present"], strict=True):
        [card] = [card for card in cards if f"<h4>{sample}" in card]
        assert present == (f'alt="{kind} of sample {sample}"' in card)
