"""The stage `evaluate`: a model of other features, and the line of scores."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.ground.data_set import data_set
from pipeline.ground.failures import write_failures
from pipeline.inputs.feature_file import write_features
from pipeline.inputs.parquet import write_table
from pipeline.mtl import Task
from pipeline.params import FusionParams, MTLParams
from pipeline.training.model import ModelSpec, save_model
from stages.evaluate import evaluate, score_summary

ROOT = Path(__file__).resolve().parents[2]


def test_a_model_of_other_features_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    data = data_set("crisismmd")
    for name in ("index", *data.modalities):
        write_failures(data.failures(name), [])
    for name in data.modalities:
        write_features(data.features(name), [("a", np.ones((1, 8), np.float32))], 8, {})
    write_table(data.index, pd.DataFrame({"id": ["a"], "split": ["test"], "flood": [1]}))
    spec = ModelSpec(
        {"text": 8, "visual": 9},
        "pooled",
        (Task("flood", ("no", "yes"), "no"),),
        FusionParams(name="cfc", theta=0.5, width=4),
        MTLParams(name="lsew", alpha=1.0, beta=2.0),
        dropout=0.1,
    )
    save_model(Path("models") / data.name, spec.build(), spec)
    with pytest.raises(ValueError, match=r"^models/crisismmd/config\.json: its features have the"):
        evaluate(data.name)


def test_a_baseline_of_tasks_without_a_positive_has_no_place_in_the_line_of_scores() -> None:
    means = {"f1": 0.5, "hl": 0.25, "map": 0.75, "tasks": 1}
    baselines = {"majority": {"mean": means}, "zero_shot": {"mean": {"tasks": 0}}}
    line = score_summary("set", means, baselines)
    assert line == "set: test F1 0.500, HL 0.250; MAP: model 0.750, majority 0.750"
