"""All tasks at once: their means, a validation epoch, and many yes-or-no labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, hamming_loss

from pipeline.evaluation.scores import (
    decide,
    label_scores,
    score_tasks,
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
    truth, probabilities = case
    thresholds = {"victim": 0.8, "useful": 0.5, "kind": 0.5}
    scores = score_tasks(tasks, truth, probabilities, thresholds)
    assert set(scores) == {"victim", "useful", "kind", "mean"}
    for task in tasks:
        values = probabilities[task.name]
        predicted = decide(task, values, thresholds[task.name])
        assert scores[task.name] == task_scores(task, truth[task.name], values, predicted)
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
    assert epoch["map/kind"] == 0.0
    assert np.isfinite(list(epoch.values())).all()
    for labels in truth.values():
        labels[:] = -1
    with pytest.raises(ValueError, match="no row to score has a label in any task"):
        score_tasks(tasks, truth, probabilities, half)


def test_a_validation_epoch_is_scored_at_half(tasks: tuple[Task, ...], case: Case) -> None:
    truth, probabilities = case
    scores = score_tasks(tasks, truth, probabilities, dict.fromkeys(truth, 0.5))
    expected = {f"mean_{name}": value for name, value in scores["mean"].items()}
    expected |= {f"map/{name}": scores[name]["map"] for name in truth}
    assert validation_scores(tasks, truth, probabilities) == expected


def labels_of(seed: int, labels: int = 4, rows: int = 60) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, (rows, labels))
    split = np.repeat(["train", "val", "test"], rows // 3)
    return truth, random.random((rows, labels)).round(2), split


@given(st.integers(0, 500))
def test_label_scores_are_scikit_learns_where_validation_says_half(seed: int) -> None:
    truth, probabilities, split = labels_of(seed)
    # Validation rows that 0.5 divides without a fault keep every threshold there.
    val, test = split == "val", split == "test"
    truth[val] = probabilities[val] >= 0.5
    truth[test, 0] = [0, 1] * 10  # at least one label can be scored
    decided = probabilities[test] >= 0.5
    some = truth[test].any(axis=0)
    scores = label_scores(truth, probabilities, split)
    hot, ranked, macro = truth[test][:, some], probabilities[test][:, some], decided[:, some]
    assert scores == {
        "map": pytest.approx(average_precision_score(hot, ranked, average="macro")),
        "macro_f1": pytest.approx(f1_score(hot, macro, average="macro", zero_division=0)),
        "micro_f1": pytest.approx(f1_score(truth[test], decided, average="micro")),
        "hamming_loss": pytest.approx(hamming_loss(truth[test], decided)),
    }


def test_thresholds_come_from_validation_and_move_the_f1_alone() -> None:
    truth = np.array([[0], [1], [0], [1], [0], [1]])
    split = np.repeat(["train", "val", "test"], 2)
    probabilities = np.array([[0.5], [0.5], [0.1], [0.3], [0.1], [0.3]])
    scores = label_scores(truth, probabilities, split)
    assert scores["macro_f1"] == scores["micro_f1"] == scores["map"] == 1.0
    assert scores["hamming_loss"] == 0.5
    # Without a positive in validation nothing is known, and 0.5 stays.
    truth[3] = 0
    assert label_scores(truth, probabilities, split)["macro_f1"] == 0.0


@given(st.integers(0, 200))
def test_unknown_labels_count_nowhere(seed: int) -> None:
    truth, probabilities, split = labels_of(seed, labels=1)
    truth[-2:] = [[0], [1]]
    more = np.random.default_rng(seed).random((30, 1))
    again = label_scores(
        np.concatenate([truth, np.full((30, 1), -1)]),
        np.concatenate([probabilities, more]),
        np.concatenate([split, np.repeat(["train", "val", "test"], 10)]),
    )
    assert again == pytest.approx(label_scores(truth, probabilities, split))
