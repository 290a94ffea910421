from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, hamming_loss

from pipeline.evaluation.scores import LABEL_SCORES, label_scores


def drawn(seed: int, labels: int = 4, rows: int = 60) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, (rows, labels))
    split = np.repeat(["train", "val", "test"], rows // 3)
    return truth, rng.random((rows, labels)).round(2), split


@given(st.integers(0, 500))
def test_scores_are_scikit_learns_where_validation_says_half(seed: int) -> None:
    truth, probabilities, split = drawn(seed)
    # Validation rows that 0.5 divides without a fault keep every threshold there.
    val, test = split == "val", split == "test"
    truth[val] = probabilities[val] >= 0.5
    truth[test, 0] = [0, 1] * 10  # at least one label can be scored
    chosen = probabilities[test] >= 0.5
    seen = truth[test].any(axis=0)
    found = label_scores(truth, probabilities, split)
    hot, shown = truth[test][:, seen], probabilities[test][:, seen]
    assert found == {
        "map": pytest.approx(average_precision_score(hot, shown, average="macro")),
        "macro_f1": pytest.approx(f1_score(hot, chosen[:, seen], average="macro", zero_division=0)),
        "micro_f1": pytest.approx(f1_score(truth[test], chosen, average="micro")),
        "hamming_loss": pytest.approx(hamming_loss(truth[test], chosen)),
    }
    assert tuple(found) == LABEL_SCORES


def test_thresholds_come_from_validation_and_move_the_f1_alone() -> None:
    truth = np.array([[0], [1], [0], [1], [0], [1]])
    split = np.repeat(["train", "val", "test"], 2)
    scores = np.array([[0.5], [0.5], [0.1], [0.3], [0.1], [0.3]])
    found = label_scores(truth, scores, split)
    assert found["macro_f1"] == found["micro_f1"] == found["map"] == 1.0
    assert found["hamming_loss"] == 0.5
    # Without a positive in validation nothing is known, and 0.5 stands.
    truth[3] = 0
    assert label_scores(truth, scores, split)["macro_f1"] == 0.0


@given(st.integers(0, 200))
def test_unknown_cells_count_nowhere(seed: int) -> None:
    truth, probabilities, split = drawn(seed, labels=1)
    truth[-2:] = [[0], [1]]
    known = label_scores(truth, probabilities, split)
    rng = np.random.default_rng(seed)
    more = np.full((30, 1), -1)
    again = label_scores(
        np.concatenate([truth, more]),
        np.concatenate([probabilities, rng.random((30, 1))]),
        np.concatenate([split, np.repeat(["train", "val", "test"], 10)]),
    )
    assert again == pytest.approx(known)


def test_a_label_without_a_test_positive_leaves_the_means_of_labels() -> None:
    truth, probabilities, split = drawn(3)
    truth[split == "test", 1] = 0
    keep = [0, 2, 3]
    alone = label_scores(truth[:, keep], probabilities[:, keep], split)
    found = label_scores(truth, probabilities, split)
    assert {k: found[k] for k in ("map", "macro_f1")} == pytest.approx(
        {k: alone[k] for k in ("map", "macro_f1")}
    )
