"""All tasks at once: means, thresholds, and what a validation epoch is told by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.evaluation.scores import (
    best_threshold,
    choose_thresholds,
    decide,
    score_tasks,
    select,
    task_scores,
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
    truth, shown = case
    thresholds = {"victim": 0.8, "useful": 0.5, "kind": 0.5}
    scores = score_tasks(tasks, truth, shown, thresholds)
    assert set(scores) == {"victim", "useful", "kind", "mean"}
    for task in tasks:
        predicted = decide(task, shown[task.name], thresholds[task.name])
        expected = task_scores(task, truth[task.name], shown[task.name], predicted)
        assert scores[task.name] == expected
    for name in ("f1", "hl", "map"):
        mean = np.mean([scores[task.name][name] for task in tasks])
        assert scores["mean"][name] == pytest.approx(mean)


def test_a_task_without_support_has_no_score_and_no_part_in_the_mean(
    tasks: tuple[Task, ...], case: Case
) -> None:
    truth, shown = case
    half = dict.fromkeys(truth, 0.5)
    without = score_tasks(tasks[:2], truth, shown, half)["mean"]
    truth["kind"][:] = -1
    scores = score_tasks(tasks, truth, shown, half)
    assert scores["kind"] == {"support": 0}
    assert scores["mean"] == without
    told = validation_scores(tasks, truth, shown)
    assert told["map/kind"] == 0.0
    assert np.isfinite(list(told.values())).all()


def test_a_validation_epoch_is_scored_at_half(tasks: tuple[Task, ...], case: Case) -> None:
    truth, shown = case
    scores = score_tasks(tasks, truth, shown, dict.fromkeys(truth, 0.5))
    expected = {f"mean_{name}": value for name, value in scores["mean"].items()}
    expected |= {f"map/{name}": scores[name]["map"] for name in truth}
    assert validation_scores(tasks, truth, shown) == expected


def test_only_sigmoid_tasks_get_a_threshold_of_their_own(
    tasks: tuple[Task, ...], case: Case
) -> None:
    truth, shown = case
    tuned = best_threshold(truth["victim"], shown["victim"][:, 1])
    assert tuned != 0.5
    chosen = choose_thresholds(tasks, truth, shown, "validation")
    assert chosen == {"victim": tuned, "useful": 0.5, "kind": 0.5}
    assert choose_thresholds(tasks, truth, shown, "half") == dict.fromkeys(truth, 0.5)


def test_selecting_takes_the_same_rows_of_every_task() -> None:
    arrays = {"a": np.arange(5), "b": np.arange(10).reshape(5, 2)}
    taken = select(arrays, np.array([3, 1]))
    assert taken["a"].tolist() == [3, 1]
    assert taken["b"].tolist() == [[6, 7], [2, 3]]
