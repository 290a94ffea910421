"""The scores of yes-or-no labels in a comparison on ready-made features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, hamming_loss

from pipeline.evaluation.comparison.cells import Cell, Problem
from pipeline.evaluation.comparison.rows import Row
from pipeline.evaluation.comparison.runs import run_scores
from pipeline.evaluation.comparison.subject import label_task
from pipeline.training.examples import Examples


def label_scores(
    truth: np.ndarray, probabilities: np.ndarray, split: np.ndarray
) -> dict[str, float]:
    """Score labels [n, L] with these probabilities, as the cell of one row."""
    names = [str(label) for label in range(truth.shape[1])]
    examples = Examples(
        [str(row) for row in range(len(truth))],
        split,
        {},
        dict(zip(names, truth.T, strict=True)),
    )
    rows = np.concatenate([examples.rows("val"), examples.rows("test")])
    of_rows = {
        name: np.stack([1 - p, p], axis=1)[rows]
        for name, p in zip(names, probabilities.T, strict=True)
    }
    problem = Problem(examples, tuple(label_task(name) for name in names), "pooled")
    cell = Cell([str(row) for row in rows], of_rows, {}, "")
    scores = run_scores(problem, 0, cell, Row())
    return {name: value for name, value in scores.items() if "." not in name}


def labels_of(seed: int, labels: int = 4, rows: int = 60) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, (rows, labels))
    split = np.repeat(["train", "val", "test"], rows // 3)
    return truth, random.random((rows, labels)).round(2), split


@given(st.integers(0, 500))
def test_scores_are_scikit_learns_where_validation_says_half(seed: int) -> None:
    truth, probabilities, split = labels_of(seed)
    # Validation rows that 0.5 divides without a fault keep every threshold there.
    val, test = split == "val", split == "test"
    truth[val] = probabilities[val] >= 0.5
    truth[test, 0] = [0, 1] * 10  # at least one label can be scored
    truth[test, 1] = 0  # and one cannot
    some = truth[test].any(axis=0)
    hot, ranked = truth[test][:, some], probabilities[test][:, some]
    decided = ranked >= 0.5
    assert label_scores(truth, probabilities, split) == {
        "map": pytest.approx(average_precision_score(hot, ranked, average="macro")),
        "macro_f1": pytest.approx(f1_score(hot, decided, average="macro", zero_division=0)),
        "micro_f1": pytest.approx(f1_score(hot, decided, average="micro", zero_division=0)),
        "hamming_loss": pytest.approx(hamming_loss(hot, decided)),
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
