"""Estimates of a row: seeds, resamples, and the mean over tasks."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.bootstrap import draw
from pipeline.evaluation.estimates import Cell, estimate_row
from pipeline.evaluation.scores import decide, score_tasks
from pipeline.mtl import Task

TASKS = [
    Task("flood", ("absent", "present"), negative="absent", head="sigmoid"),
    Task("damage", ("none", "mild", "severe"), negative="none"),
]
ROWS = 30


def made(seed: int) -> Cell:
    random = np.random.default_rng(seed)
    shown = {task.name: random.dirichlet(np.ones(len(task.classes)), ROWS) for task in TASKS}
    return Cell(shown, {task.name: decide(task, shown[task.name]) for task in TASKS})


TRUTH = {t.name: np.random.default_rng(9).integers(-1, len(t.classes), ROWS) for t in TASKS}
GROUPS = [str(i // 2) for i in range(ROWS)]


def test_values_are_each_seeds_scores_and_their_mean_over_tasks() -> None:
    cells = [made(0), made(1)]
    found = estimate_row(TASKS, TRUTH, cells, draw(GROUPS, 2, 100))
    for index, cell in enumerate(cells):
        half = {task.name: 0.5 for task in TASKS}
        expected = score_tasks(TASKS, TRUTH, cell.probabilities, half)
        for task in ("flood", "damage", "mean"):
            for score in ("f1", "hl", "map"):
                value = found[task, score].values[index]
                assert value == pytest.approx(expected[task][score], abs=1e-12)


def test_a_task_undefined_in_a_resample_is_left_out_of_that_resamples_mean() -> None:
    truth = {"flood": np.where(np.arange(ROWS) == 0, 1, 0), "damage": TRUTH["damage"]}
    resamples = draw(GROUPS, 1, 200)
    found = estimate_row(TASKS, truth, [made(0)], resamples)
    without = resamples.rows[:, 0] == 0
    assert without.any()
    np.testing.assert_array_equal(np.isnan(found["flood", "map"].resampled), without)
    np.testing.assert_array_equal(
        found["mean", "map"].resampled[without], found["damage", "map"].resampled[without]
    )


def test_equal_cells_differ_by_exactly_nothing() -> None:
    resamples = draw(GROUPS, 2, 100)
    one = estimate_row(TASKS, TRUTH, [made(0), made(1)], resamples)
    same = estimate_row(TASKS, TRUTH, [made(0), made(1)], resamples)
    for key, value in one.items():
        assert (value - same[key]).interval == (0.0, 0.0)
