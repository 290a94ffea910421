"""A folder with everything the tables' last stages read, made without any training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.datasets.paper_concepts import CONCEPTS
from pipeline.ground.data_set import SETS
from pipeline.mtl import Task
from stages.tables import files
from stages.tables.probabilities import write_probabilities

ROOT = Path(__file__).resolve().parents[3]
ROWS = ["cfc_lsew", "hgfn_dmtl", "dmf_lsew"]
SEEDS = [0, 3]
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


def write_set(name: str, count: int = 60) -> None:
    """An index with groups of two, and the cells of every row and seed."""
    random = np.random.default_rng(len(name))
    ids = [f"s{i:03}" for i in range(count)]
    index = pd.DataFrame(
        {
            "id": ids,
            "group": [f"g{i // 2}" for i in range(count)],
            "split": [("train", "val", "test")[i // 2 % 3] for i in range(count)],
        }
    )
    for task in TASKS[name]:
        labels = pd.Series(random.integers(0, len(task.classes), count), dtype="Int64")
        index[task.name] = labels.mask(random.random(count) < 0.1)
    chosen = SETS[name]
    chosen.folder.mkdir(parents=True)
    index.to_parquet(chosen.index, index=False)
    described = [{**vars(task), "classes": list(task.classes)} for task in TASKS[name]]
    chosen.tasks.write_text(json.dumps(described))
    kept = index.sort_values("split", ascending=False, kind="stable").query("split != 'train'")
    for place, row in enumerate(ROWS):
        for seed in SEEDS:
            write_cell(name, row, seed, kept, strength=place, random=random)


def write_cell(
    name: str, row: str, seed: int, kept: pd.DataFrame, strength: float, random: np.random.Generator
) -> None:
    found = {}
    for task in TASKS[name]:
        hot = np.eye(len(task.classes))[kept[task.name].fillna(0).to_numpy(int)]
        raw = random.random(hot.shape) + 0.4 * strength * hot
        found[task.name] = raw / raw.sum(axis=1, keepdims=True)
    place = files.place_of_one(name, row, seed)
    write_probabilities(place.probabilities, TASKS[name], kept["id"].tolist(), found)
    facts = {"parameters": 1000, "epochs": 7, "best_epoch": 3, "learning_rate": 0.001}
    files.write_json(place.facts, facts)
    files.write_json(place.timing, {"seconds": 1.5 + seed})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder, and the current one, in which all cells are there."""
    monkeypatch.chdir(tmp_path)
    yaml = YAML(typ="safe")
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    values = yaml.load(ROOT / "tables" / "params.yaml")
    (tmp_path / "tables").mkdir()
    first, *further = SEEDS
    values |= {"rows": ROWS, "tuning_seed": first, "further_seeds": further, "resamples": 100}
    yaml.dump(values, tmp_path / "tables" / "params.yaml")
    for name in SETS:
        write_set(name)
    return tmp_path
