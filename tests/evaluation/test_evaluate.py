"""Scores of a split, with and without the samples that leak, and what baselines predict."""

from __future__ import annotations

import numpy as np

from pipeline.evaluation.evaluate import (
    Baseline,
    baseline_table,
    leak_free_scores,
    split_scores,
)
from pipeline.mtl import Task
from pipeline.training.examples import Examples

VICTIM = Task("victim", ("absent", "present"), head="sigmoid")


def test_rows_whose_group_is_in_training_are_left_out_of_the_second_score() -> None:
    truth = np.array([1, 0, 1, 0, 1])
    data = Examples(list("abcde"), np.array(["train"] + ["test"] * 4), {}, {"victim": truth})
    wrong = np.array([1, 0, 1, 1, 0])  # the last two rows are decided wrongly
    probabilities = {"victim": np.stack([1 - wrong, wrong], axis=1).astype(float)}
    thresholds = {"victim": 0.5}
    leaks = np.array([False, False, False, True, True])
    given = [VICTIM], data, probabilities, thresholds
    assert split_scores(*given)["victim"]["accuracy"] == 0.5
    scores = leak_free_scores(*given, leaks)
    assert scores is not None
    assert (scores["victim"]["accuracy"], scores["victim"]["support"]) == (1.0, 2)
    assert set(scores) == {"victim", "mean"}
    assert leak_free_scores(*given, np.zeros(5, bool)) is None
    assert leak_free_scores(*given, data.split == "test") is None


def test_a_baseline_has_its_own_tasks_and_thresholds_and_the_test_samples_alone() -> None:
    data = Examples(["a", "ü"], np.array(["train", "test"]), {}, {"victim": np.array([1, 0])})
    probabilities = {"victim": np.array([[0.1, 0.9], [0.7, 0.3]])}
    baseline = Baseline((VICTIM,), probabilities, {"victim": 0.25})
    assert baseline_table(data, {"majority": baseline}).to_dict("list") == {
        "id": ["ü"],
        "majority.victim.predicted": [1],
        "majority.victim.p.absent": [0.7],
        "majority.victim.p.present": [0.3],
    }
