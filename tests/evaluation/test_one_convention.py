"""A label without a positive test row: the same predictions give the same means everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from pipeline.evaluation.baselines import concatenated_linear
from pipeline.evaluation.comparison.cells import Cell, Problem
from pipeline.evaluation.comparison.estimates import MEAN, draw_resamples, estimate_tasks
from pipeline.evaluation.comparison.rows import Row
from pipeline.evaluation.comparison.runs import run_scores
from pipeline.evaluation.evaluate import split_scores
from pipeline.evaluation.scores import decide, score_tasks, select, validation_scores
from pipeline.mtl import Task
from pipeline.training.examples import Examples

TASKS = tuple(
    Task(name, ("absent", "present"), negative="absent", head="sigmoid")
    for name in ("flood", "fire", "quake")
)
HALF = dict.fromkeys((task.name for task in TASKS), 0.5)
SCORES = ("f1", "hl", "map")


@dataclass(frozen=True)
class Case:
    """Examples without a quake in test, and probabilities of all rows."""

    examples: Examples
    probabilities: dict[str, np.ndarray]

    @property
    def of_test(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        rows = self.examples.rows("test")
        return select(self.examples.targets, rows), select(self.probabilities, rows)


@pytest.fixture
def case() -> Case:
    random, rows = np.random.default_rng(4), 90
    split = np.repeat(["train", "val", "test"], rows // 3)
    targets = {task.name: random.integers(0, 2, rows) for task in TASKS}
    targets["quake"][split == "test"] = 0
    values = {task.name: random.random(rows) for task in TASKS}
    for name, p in values.items():  # 0.5 is the best threshold on validation
        p[split == "val"] = 0.2 + 0.6 * targets[name][split == "val"]
    views = {"a": [row[None] for row in random.normal(size=(rows, 4)).astype(np.float32)]}
    examples = Examples([str(row) for row in range(rows)], split, views, targets)
    return Case(examples, {name: np.stack([1 - p, p], axis=1) for name, p in values.items()})


def metrics_json(case: Case) -> dict[str, float]:
    return dict(split_scores(TASKS, case.examples, case.probabilities, HALF)["mean"])


def tables(case: Case) -> dict[str, float]:
    truth, probabilities = case.of_test
    decided = {task.name: decide(task, probabilities[task.name]) for task in TASKS}
    resamples = draw_resamples([str(row) for row in range(30)], 1, 5)
    estimates = estimate_tasks(TASKS, truth, [(probabilities, decided)], resamples)
    return {score: estimates[MEAN, score].mean for score in SCORES}


def compare(case: Case) -> dict[str, float]:
    rows = np.concatenate([case.examples.rows(side) for side in ("val", "test")])
    cell = Cell([str(row) for row in rows], select(case.probabilities, rows), {}, "")
    scores = run_scores(Problem(case.examples, TASKS, "pooled"), 0, cell, Row())
    return {"f1": scores["macro_f1"], "hl": scores["hamming_loss"], "map": scores["map"]}


def monitor(case: Case) -> dict[str, float]:
    scores = validation_scores(TASKS, *case.of_test)
    return {score: scores[f"mean_{score}"] for score in SCORES}


@pytest.mark.parametrize("means_of", [metrics_json, tables, compare, monitor])
def test_a_label_without_a_positive_is_left_out_of_every_mean(
    case: Case, means_of: Callable[[Case], dict[str, float]]
) -> None:
    truth, probabilities = case.of_test
    expected = score_tasks(TASKS[:2], truth, probabilities, HALF)["mean"]
    values = means_of(case)
    for score in SCORES:
        assert values[score] == pytest.approx(expected[score], abs=1e-12)


def test_a_baseline_chooses_its_penalty_by_the_labels_with_a_positive(case: Case) -> None:
    targets = case.examples.targets
    targets["quake"][case.examples.split == "val"] = 0
    chosen = concatenated_linear(TASKS, case.examples)
    without = concatenated_linear(TASKS[:2], case.examples)
    for task in TASKS[:2]:
        np.testing.assert_array_equal(chosen[task.name], without[task.name])


def test_a_baseline_without_a_positive_in_validation_chooses_as_without_labels(case: Case) -> None:
    val = case.examples.split == "val"
    predicted = []
    for label in (-1, 0):
        for values in case.examples.targets.values():
            values[val] = label
        predicted.append(concatenated_linear(TASKS, case.examples))
    for task in TASKS:
        np.testing.assert_array_equal(predicted[0][task.name], predicted[1][task.name])
