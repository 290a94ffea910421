"""Predictions as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.model_folder import Decision, Decisions
from pipeline.evaluation.predictions import decided, prediction_table, with_truth
from pipeline.ground.failures import Failure
from pipeline.inputs.parquet import read_table, write_table
from pipeline.mtl import Task
from pipeline.training.examples import Examples

KIND = Task("kind", ("none", "flood", "fire"))
VICTIM = Task("victim", ("absent", "present"), head="sigmoid")
DECISIONS = Decisions(
    model="",
    unsure_below=0.6,
    tasks={
        "kind": Decision(threshold=0.5, temperature=1.0),
        "victim": Decision(threshold=0.35, temperature=0.5),
    },
)
VECTOR, ABSENT = np.ones((1, 2), np.float32), np.ones((0, 2), np.float32)


def examples() -> Examples:
    targets = {"kind": np.array([2, -1, 0]), "victim": np.array([-1, 1, 0])}
    split = np.array(["train", "val", "test"])
    return Examples(["a", "b", "ü"], split, {"text": [VECTOR, ABSENT, VECTOR]}, targets)


def table() -> pd.DataFrame:
    probabilities = {
        "kind": np.array([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2], [0.2, 0.6, 0.2]]),
        "victim": np.array([[0.7, 0.3], [0.2, 0.8], [0.65, 0.35]]),
    }
    failures = [
        Failure("b", "text", "missing_file", "x"),
        Failure("b", "text", "empty_text", "x"),
        Failure("ü", "audio", "truncated", "of no modality here"),
    ]
    return prediction_table([KIND, VICTIM], examples(), probabilities, DECISIONS, failures)


def test_a_row_a_sample_with_decision_confidence_and_probabilities() -> None:
    result = table()
    assert list(result) == [
        "id",
        "kind.predicted",
        "kind.decision",
        "kind.confidence",
        "kind.p.none",
        "kind.p.flood",
        "kind.p.fire",
        "victim.predicted",
        "victim.decision",
        "victim.confidence",
        "victim.p.absent",
        "victim.p.present",
        "text.present",
        "text.failure",
        "unsure",
    ]
    assert result["id"].tolist() == ["a", "b", "ü"]
    assert result["kind.predicted"].tolist() == [2, 0, 1]
    assert result["kind.decision"].tolist() == ["fire", "none", "flood"]
    assert result["victim.predicted"].tolist() == [0, 1, 1]
    assert result["victim.p.present"].tolist() == [0.3, 0.8, 0.35]


def test_confidence_is_the_calibrated_probability_of_the_decision() -> None:
    result = table()
    assert result["kind.confidence"].tolist() == [0.7, 0.5, 0.6]
    # At a temperature of 1/2 probabilities are squared, then normalised.
    expected = [0.49 / 0.58, 0.64 / 0.68, 0.1225 / 0.545]
    np.testing.assert_allclose(result["victim.confidence"], expected)
    assert result["unsure"].tolist() == [False, True, True]


def test_modalities_that_failed_are_named_by_kind() -> None:
    result = table()
    assert result["text.present"].tolist() == [True, False, True]
    assert result["text.failure"].isna().tolist() == [True, False, True]
    assert result["text.failure"][1] == "empty_text; missing_file"


def test_an_unknown_label_is_null(tmp_path: Path) -> None:
    result = with_truth(table(), [KIND, VICTIM], examples())
    assert list(result)[:5] == ["id", "split", "kind", "victim", "kind.predicted"]
    assert result["split"].tolist() == ["train", "val", "test"]
    assert result["kind"].isna().tolist() == [False, True, False]
    assert result["victim"].isna().tolist() == [True, False, False]
    assert (result["kind"].dtype, result["kind.predicted"].dtype) == ("Int64", "int64")
    assert result["kind.p.none"].dtype == "float64"
    write_table(tmp_path / "table.parquet", result)
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.parquet"), result, check_dtype=False)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (Task("softmax", ("yes", "no"), negative="no"), [0, 0, 1]),
        (Task("sigmoid", ("no", "yes"), head="sigmoid"), [1, 1, 0]),
    ],
    ids=["softmax", "sigmoid"],
)
def test_a_binary_task_has_the_threshold_of_its_positive_class(
    task: Task, expected: list[int]
) -> None:
    positive = np.array([0.9, 0.3, 0.2])
    columns = [positive, 1 - positive] if task.positive == 0 else [1 - positive, positive]
    assert decided(task, np.stack(columns, axis=1), 0.3).tolist() == expected
