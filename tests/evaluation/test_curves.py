"""Curves and confusion tables as CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from pipeline.evaluation.curves import precision_recall, read_curves, write_curves
from pipeline.mtl import Task

Drawn = Callable[..., tuple[np.ndarray, np.ndarray]]


def test_the_area_below_each_curve_is_its_average_precision(
    tasks: tuple[Task, ...], drawn: Drawn
) -> None:
    for task in tasks:
        truth, shown = drawn(task)
        curves = precision_recall(task, truth, shown)
        known = truth >= 0
        traced = [task.classes[1]] if task.head == "sigmoid" else list(task.classes)
        assert curves["class"].unique().tolist() == traced
        for label, curve in curves.groupby("class"):
            code = task.classes.index(str(label))
            area = -np.sum(np.diff(curve["recall"]) * curve["precision"].to_numpy()[:-1])
            hot = truth[known] == code
            expected = average_precision_score(hot, shown[known, code])
            assert area == pytest.approx(expected)


def test_a_class_without_a_positive_has_no_curve(tasks: tuple[Task, ...], drawn: Drawn) -> None:
    sigmoid, _, multi = tasks
    truth, shown = drawn(multi)
    truth[truth == 2] = -1
    assert "fire" not in set(precision_recall(multi, truth, shown)["class"])
    truth, shown = drawn(sigmoid)
    for labels in (np.zeros_like(truth), np.full_like(truth, -1)):
        curves = precision_recall(sigmoid, labels, shown)
        assert list(curves) == ["class", "recall", "precision"]
        assert curves.empty


def test_files_are_written_for_every_task_even_without_support(
    tasks: tuple[Task, ...], drawn: Drawn, tmp_path: Path
) -> None:
    pairs = {task.name: drawn(task) for task in tasks}
    truth = {name: labels for name, (labels, _) in pairs.items()}
    truth["kind"][:] = -1
    shown = {name: values for name, (_, values) in pairs.items()}
    write_curves(tmp_path, tasks, truth, shown, {"victim": 0.7, "useful": 0.5, "kind": 0.5})
    for task in tasks:
        curves = pd.read_csv(tmp_path / "pr" / f"{task.name}.csv")
        assert list(curves) == ["class", "recall", "precision"]
        pairs = pd.read_csv(tmp_path / "confusion" / f"{task.name}.csv")
        assert list(pairs) == ["actual", "predicted"]
        assert len(pairs) == (truth[task.name] >= 0).sum()
        assert set(pairs.to_numpy().ravel()) <= set(task.classes)
    called = pd.read_csv(tmp_path / "confusion" / "victim.csv")["predicted"] == "present"
    known = truth["victim"] >= 0
    assert called.tolist() == (shown["victim"][known, 1] >= 0.7).tolist()


def test_logged_curves_are_read_by_group_in_order_of_their_names(tmp_path: Path) -> None:
    for name, values in {"b": [3.0, 4.0], "a": [1.0, 2.0]}.items():
        path = tmp_path / "plots" / "metrics" / "weight" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"step": [0, 1], name: values}).to_csv(path, sep="\t", index=False)
    found = dict(read_curves(tmp_path, "weight"))
    assert list(found) == ["a", "b"]
    assert found["b"]["b"].tolist() == [3.0, 4.0]
    assert list(read_curves(tmp_path, "loss/train")) == []
