"""The pictures: there, readable, and the same twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.evaluation.figures import draw_figures
from pipeline.mtl import Task

Drawn = Callable[..., tuple[np.ndarray, np.ndarray]]
PICTURES = ("learning", "weights", "precision_recall", "confusion")


@pytest.fixture
def live(tmp_path: Path, tasks: tuple[Task, ...]) -> Path:
    for group in ("loss/train", "loss/validation", "weight"):
        for task in tasks:
            path = tmp_path / "live" / "plots" / "metrics" / group / f"{task.name}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            values = {"step": [0, 1, 2], task.name: [1.0, 0.6, 0.5]}
            pd.DataFrame(values).to_csv(path, sep="\t", index=False)
    return tmp_path / "live"


def test_the_four_pictures_are_drawn_and_are_the_same_bytes_twice(
    tasks: tuple[Task, ...], drawn: Drawn, live: Path, tmp_path: Path
) -> None:
    pairs = {task.name: drawn(task) for task in tasks}
    truth = {name: labels for name, (labels, _) in pairs.items()}
    shown = {name: values for name, (_, values) in pairs.items()}
    for folder in ("one", "two"):
        draw_figures(tmp_path / folder, live, tasks, truth, shown, dict.fromkeys(truth, 0.5))
    assert {path.stem for path in (tmp_path / "one").iterdir()} == set(PICTURES)
    for name in PICTURES:
        path = tmp_path / "one" / f"{name}.png"
        with Image.open(path) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 10, "an empty picture"
        assert path.read_bytes() == (tmp_path / "two" / f"{name}.png").read_bytes()


@pytest.mark.parametrize("count", [1, 7])
def test_one_task_and_many_fit_and_a_task_may_lack_labels(
    drawn: Drawn, live: Path, tmp_path: Path, count: int
) -> None:
    tasks = [Task(f"t{i}", ("no", "yes"), head="sigmoid") for i in range(count)]
    shown = {task.name: drawn(task)[1] for task in tasks}
    truth = {task.name: drawn(task)[0] for task in tasks}
    truth["t0"] = np.full(40, -1)
    draw_figures(tmp_path / "p", live, tasks, truth, shown, dict.fromkeys(truth, 0.5))
    assert len(list((tmp_path / "p").glob("*.png"))) == 4
