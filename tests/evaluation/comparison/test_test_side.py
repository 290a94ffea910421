"""What a row of a comparison learns depends on no test row, nor on a masked label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.evaluation.comparison import runs
from pipeline.evaluation.comparison.cells import Problem, Settings, Training, train_cell
from pipeline.evaluation.comparison.estimates import MEAN
from pipeline.evaluation.comparison.report import Column
from pipeline.evaluation.comparison.rows import BASELINES, Row
from pipeline.evaluation.comparison.splits import Splits
from pipeline.evaluation.scores import choose_thresholds
from pipeline.training.shots import few_shots

ROWS = (Row("hgfn", "dmtl"), Row(), *(Row(baseline=name) for name in BASELINES))
SHOTS = 3


def with_texts(problem: Problem) -> Problem:
    """Words that say a label, so that the row on texts has something to learn."""
    words = problem.examples.targets["left"]
    return replace(problem, texts=tuple(f"word{word} here" for word in words))


def spoilt(problem: Problem, hidden: np.ndarray) -> Problem:
    """The same training and validation; test has other inputs, and `hidden` rows other labels."""
    examples = problem.examples
    texts = np.array(problem.texts, dtype=object)
    texts[examples.rows("test")] = "word0 word1 another"
    far = np.full((1, 3), 1e3, np.float32)
    sequences = {
        name: [far if side == "test" else arrays[row] for row, side in enumerate(examples.split)]
        for name, arrays in examples.sequences.items()
    }
    targets = {name: np.where(hidden, 1 - truth, truth) for name, truth in examples.targets.items()}
    changed = replace(examples, sequences=sequences, targets=targets)
    return replace(problem, examples=changed, texts=tuple(texts))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_test_rows_change_no_model(problem: Problem, settings: Settings, row: Row) -> None:
    problem = with_texts(problem)
    other = spoilt(problem, problem.examples.split == "test")
    training, count = Training(row, 0, 1e-3), len(problem.examples.rows("val"))
    (here, _), (there, _) = (train_cell(p, settings, training) for p in (problem, other))
    for task in problem.tasks:
        of_val, expected = (cell.sides(count)[0][task.name] for cell in (there, here))
        np.testing.assert_array_equal(of_val, expected)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_labels_that_few_shots_mask_change_no_score(
    problem: Problem, settings: Settings, row: Row
) -> None:
    """Those of rows that keep none in any task: others are drawn in exchange for a changed one."""
    few = replace(settings, train=settings.train.model_copy(update={"shots": SHOTS}))
    problem = with_texts(problem)
    drawn = few_shots(problem.examples, problem.tasks, SHOTS, 0)
    masked = (problem.examples.split == "train") & (drawn.split != "train")
    assert masked.any()
    unknown = {n: np.where(masked, -1, t) for n, t in problem.examples.targets.items()}
    other = replace(problem, examples=replace(problem.examples, targets=unknown))
    training = Training(row, 0, 1e-3)
    (here, _), (there, _) = (train_cell(p, few, training) for p in (problem, other))
    for task in problem.tasks:
        np.testing.assert_array_equal(there.probabilities[task.name], here.probabilities[task.name])


def test_few_labels_are_drawn_from_training_alone(problem: Problem) -> None:
    examples, train = problem.examples, problem.examples.split == "train"
    other = replace(
        examples,
        targets={name: np.where(train, t, 1 - t) for name, t in examples.targets.items()},
    )
    here, there = (few_shots(e, problem.tasks, SHOTS, 0) for e in (examples, other))
    np.testing.assert_array_equal(here.split, there.split)
    for name, truth in here.targets.items():
        np.testing.assert_array_equal(truth[train], there.targets[name][train])


def test_test_labels_choose_no_trial_and_no_threshold(
    problem: Problem, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = [Training(ROWS[0], 0, rate) for rate in (1e-4, 1e-2)]
    cells = {training: train_cell(problem, settings, training)[0] for training in trainings}
    problem = with_texts(problem)
    chosen: list[Mapping[str, float]] = []

    def choose(*given: Any) -> dict[str, float]:
        chosen.append(choose_thresholds(*given))
        return dict(chosen[-1])

    monkeypatch.setattr(runs, "choose_thresholds", choose)
    rates = []
    for given in (problem, spoilt(problem, problem.examples.split == "test")):
        splits, columns = Splits({0: given.examples.split}, ""), [Column(MEAN, "map", "MAP")]
        trials = {(ROWS[0], 0): trainings}
        table = runs.runs_table(given, splits, columns, trials, cells, {})
        rates.append(table["learning_rate"].item())
    assert rates[0] == rates[1]
    assert chosen[0] == chosen[1]
    assert set(chosen[0]) == {"left", "right"}
