"""All tasks at once: their means, and a validation epoch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.evaluation.scores import (
    decide,
    score_tasks,
    task_scores,
    unscored,
    unscored_notes,
    validation_scores,
)
from pipeline.mtl import Task

Drawn = Callable[..., tuple[np.ndarray, np.ndarray]]
Case = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]


@pytest.fixture
def case(tasks: tuple[Task, ...], drawn: Drawn) -> Case:
    pairs = {task.name: drawn(task, seed=seed) for seed, task in enumerate(tasks)}
    return {k: t for k, (t, _) in pairs.items()}, {k: p for k, (_, p) in pairs.items()}


def test_each_task_is_scored_at_its_own_threshold(tasks: tuple[Task, ...], case: Case) -> None:
    truth, probabilities = case
    thresholds = {"victim": 0.8, "useful": 0.5, "kind": 0.5}
    scores = score_tasks(tasks, truth, probabilities, thresholds)
    assert set(scores) == {"victim", "useful", "kind", "mean"}
    for task in tasks:
        values = probabilities[task.name]
        predicted = decide(task, values, thresholds[task.name])
        assert scores[task.name] == task_scores(task, truth[task.name], values, predicted)
    assert scores["mean"]["tasks"] == 3
    for name in ("f1", "hl", "map"):
        mean = np.mean([scores[task.name][name] for task in tasks])
        assert scores["mean"][name] == pytest.approx(mean)


def test_a_task_without_support_has_no_score_and_is_not_in_the_mean(
    tasks: tuple[Task, ...], case: Case
) -> None:
    truth, probabilities = case
    half = dict.fromkeys(truth, 0.5)
    without = score_tasks(tasks[:2], truth, probabilities, half)["mean"]
    truth["kind"][:] = -1
    scores = score_tasks(tasks, truth, probabilities, half)
    assert scores["kind"] == {"support": 0}
    assert scores["mean"] == without
    epoch = validation_scores(tasks, truth, probabilities)
    assert "map/kind" not in epoch
    assert np.isfinite(list(epoch.values())).all()
    for labels in truth.values():
        labels[:] = -1
    with pytest.raises(ValueError, match="no row to score has a label in any task"):
        score_tasks(tasks, truth, probabilities, half)


def test_a_validation_epoch_is_scored_at_half(tasks: tuple[Task, ...], case: Case) -> None:
    truth, probabilities = case
    scores = score_tasks(tasks, truth, probabilities, dict.fromkeys(truth, 0.5))
    expected = {f"mean_{name}": scores["mean"][name] for name in ("f1", "hl", "map")}
    expected |= {f"map/{name}": scores[name]["map"] for name in truth}
    assert validation_scores(tasks, truth, probabilities) == expected


def test_a_class_without_a_positive_is_in_neither_macro_mean(tasks: tuple[Task, ...]) -> None:
    kind = tasks[2]
    truth, predicted = np.array([1, 1, 2, 2]), np.array([1, 3, 2, 2])  # nothing is of class 3
    scores = task_scores(kind, truth, np.eye(4)[predicted], predicted)
    assert scores["f1"] == scores["f1_macro"] == pytest.approx((2 / 3 + 1) / 2)
    assert scores["map"] == pytest.approx((0.75 + 1) / 2)


@pytest.mark.parametrize("name", ["victim", "useful"])
def test_a_label_without_a_positive_has_no_f1_and_no_map_and_is_in_no_mean(
    tasks: tuple[Task, ...], case: Case, name: str
) -> None:
    truth, probabilities = case
    others = [task for task in tasks if task.name != name]
    half = dict.fromkeys(truth, 0.5)
    (task,) = (task for task in tasks if task.name == name)
    truth[name][truth[name] == task.positive] = -1
    scores = score_tasks(tasks, truth, probabilities, half)
    assert {"f1", "map", "f1_minority"}.isdisjoint(scores[name])
    assert scores[name]["support"] > 0
    assert 0 <= scores[name]["hl"] <= 1
    assert scores["mean"] == score_tasks(others, truth, probabilities, half)["mean"]
    assert unscored(tasks, truth) == [name]
    assert unscored_notes(tasks, truth, "test") == [
        f"left out of the means, without a positive test row: {name}"
    ]
    assert unscored_notes(others, truth, "test") == []


def test_without_a_positive_in_any_task_there_is_no_mean(
    tasks: tuple[Task, ...], case: Case
) -> None:
    truth, probabilities = case
    truth["victim"][:] = 0
    scores = score_tasks(tasks[:1], truth, probabilities, {"victim": 0.5})
    assert scores["mean"] == {"tasks": 0}
    assert validation_scores(tasks[:1], truth, probabilities) == {}
