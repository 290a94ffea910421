"""A model's plots: curves and decisions as CSV, and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score

from pipeline.evaluation.plots import precision_recall, write_plots
from pipeline.mtl import Task

Drawn = Callable[..., tuple[np.ndarray, np.ndarray]]
Arrays = dict[str, np.ndarray]


def drawn_of(tasks: Sequence[Task], drawn: Drawn) -> tuple[Arrays, Arrays]:
    pairs = {task.name: drawn(task) for task in tasks}
    return {name: t for name, (t, _) in pairs.items()}, {name: p for name, (_, p) in pairs.items()}


def test_the_area_below_each_curve_is_its_average_precision(
    tasks: tuple[Task, ...], drawn: Drawn
) -> None:
    for task in tasks:
        truth, probabilities = drawn(task)
        curves = precision_recall(task, truth, probabilities)
        known = truth >= 0
        traced = [task.classes[1]] if task.head == "sigmoid" else list(task.classes)
        assert curves["class"].unique().tolist() == traced
        for label, curve in curves.groupby("class"):
            code = task.classes.index(str(label))
            area = -np.sum(np.diff(curve["recall"]) * curve["precision"].to_numpy()[:-1])
            hot = truth[known] == code
            expected = average_precision_score(hot, probabilities[known, code])
            assert area == pytest.approx(expected)


def test_a_class_without_a_positive_has_no_curve(tasks: tuple[Task, ...], drawn: Drawn) -> None:
    sigmoid, _, multi = tasks
    truth, probabilities = drawn(multi)
    truth[truth == 2] = -1
    assert "fire" not in set(precision_recall(multi, truth, probabilities)["class"])
    truth, probabilities = drawn(sigmoid)
    for labels in (np.zeros_like(truth), np.full_like(truth, -1)):
        curves = precision_recall(sigmoid, labels, probabilities)
        assert list(curves) == ["class", "recall", "precision"]
        assert curves.empty


@pytest.fixture
def live(tmp_path: Path, tasks: tuple[Task, ...]) -> Path:
    """What DVCLive logs in a training of three epochs."""
    for group in ("loss/train", "loss/validation", "weight"):
        for task in tasks:
            path = tmp_path / "live" / "plots" / "metrics" / group / f"{task.name}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            values = {"step": [0, 1, 2], task.name: [1.0, 0.6, 0.5]}
            pd.DataFrame(values).to_csv(path, sep="\t", index=False)
    return tmp_path


def test_every_task_has_its_files_even_without_support(
    tasks: tuple[Task, ...], drawn: Drawn, live: Path
) -> None:
    truth, probabilities = drawn_of(tasks, drawn)
    truth["kind"][:] = -1
    write_plots(live, tasks, truth, probabilities, {"victim": 0.7, "useful": 0.5, "kind": 0.5})
    for task in tasks:
        curves = pd.read_csv(live / f"evaluation/pr/{task.name}.csv")
        assert list(curves) == ["class", "recall", "precision"]
        decisions = pd.read_csv(live / f"evaluation/confusion/{task.name}.csv")
        assert list(decisions) == ["actual", "predicted"]
        assert len(decisions) == (truth[task.name] >= 0).sum()
        assert set(decisions.to_numpy().ravel()) <= set(task.classes)
    positive = pd.read_csv(live / "evaluation/confusion/victim.csv")["predicted"] == "present"
    known = truth["victim"] >= 0
    assert positive.tolist() == (probabilities["victim"][known, 1] >= 0.7).tolist()


def test_the_same_numbers_give_the_same_four_pictures(
    tasks: tuple[Task, ...], drawn: Drawn, live: Path
) -> None:
    truth, probabilities = drawn_of(tasks, drawn)
    half = dict.fromkeys(truth, 0.5)
    write_plots(live, tasks, truth, probabilities, half)
    first = {path.name: path.read_bytes() for path in (live / "figures").iterdir()}
    assert set(first) == {"learning.png", "weights.png", "precision_recall.png", "confusion.png"}
    for name in first:
        with Image.open(live / "figures" / name) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 10, "an empty picture"
    write_plots(live, tasks, truth, probabilities, half)
    assert {path.name: path.read_bytes() for path in (live / "figures").iterdir()} == first


@pytest.mark.parametrize("count", [1, 7])
def test_pictures_have_room_for_one_task_and_for_many(drawn: Drawn, live: Path, count: int) -> None:
    tasks = [Task(f"t{i}", ("no", "yes"), head="sigmoid") for i in range(count)]
    truth, probabilities = drawn_of(tasks, drawn)
    write_plots(live, tasks, truth, probabilities, dict.fromkeys(truth, 0.5))
    assert len(list((live / "figures").glob("*.png"))) == 4
