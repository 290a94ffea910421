"""Predictions as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.evaluation.evaluate import leak_free_scores, prediction_table, split_scores
from pipeline.inputs.parquet import read_table, write_table
from pipeline.mtl import Task
from pipeline.training.examples import Examples

KIND = Task("kind", ("none", "flood", "fire"))
VICTIM = Task("victim", ("absent", "present"), head="sigmoid")


def table() -> pd.DataFrame:
    targets = {"kind": np.array([2, -1, 0]), "victim": np.array([-1, 1, 0])}
    data = Examples(["a", "b", "ü"], np.array(["train", "val", "test"]), {}, targets)
    probabilities = {
        "kind": np.array([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2], [0.2, 0.6, 0.2]]),
        "victim": np.array([[0.7, 0.3], [0.2, 0.8], [0.65, 0.35]]),
    }
    return prediction_table([KIND, VICTIM], data, probabilities, {"kind": 0.5, "victim": 0.35})


def test_a_row_a_sample_with_label_decision_and_probabilities() -> None:
    result = table()
    assert list(result) == [
        "id",
        "split",
        "kind",
        "kind.predicted",
        "kind.p.none",
        "kind.p.flood",
        "kind.p.fire",
        "victim",
        "victim.predicted",
        "victim.p.absent",
        "victim.p.present",
    ]
    assert result["id"].tolist() == ["a", "b", "ü"]
    assert result["split"].tolist() == ["train", "val", "test"]
    assert result["kind.predicted"].tolist() == [2, 0, 1]
    assert result["victim.predicted"].tolist() == [0, 1, 1]
    assert result["victim.p.present"].tolist() == [0.3, 0.8, 0.35]


def test_an_unknown_label_is_null(tmp_path: Path) -> None:
    result = table()
    assert result["kind"].isna().tolist() == [False, True, False]
    assert result["victim"].isna().tolist() == [True, False, False]
    assert (result["kind"].dtype, result["kind.predicted"].dtype) == ("Int64", "int64")
    assert result["kind.p.none"].dtype == "float64"
    write_table(tmp_path / "table.parquet", result)
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.parquet"), result, check_dtype=False)


def test_rows_whose_group_is_in_training_are_left_out_of_the_second_score() -> None:
    truth = np.array([1, 0, 1, 0, 1])
    data = Examples(list("abcde"), np.array(["train"] + ["test"] * 4), {}, {"victim": truth})
    wrong = np.array([1, 0, 1, 1, 0])  # the last two rows are decided wrongly
    probabilities = {"victim": np.stack([1 - wrong, wrong], axis=1).astype(float)}
    thresholds = {"victim": 0.5}
    leaks = np.array([False, False, False, True, True])
    given = [VICTIM], data, probabilities, thresholds
    assert split_scores(*given)["victim"]["accuracy"] == 0.5
    scores = leak_free_scores(*given, leaks)
    assert scores is not None
    assert (scores["victim"]["accuracy"], scores["victim"]["support"]) == (1.0, 2)
    assert set(scores) == {"victim", "mean"}
    assert leak_free_scores(*given, np.zeros(5, bool)) is None
    assert leak_free_scores(*given, data.split == "test") is None
