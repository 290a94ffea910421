"""Scores with intervals, and the sentence that judges by them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.ground.data_set import data_set
from pipeline.report.material import read_material
from pipeline.report.quality import (
    Line,
    Score,
    ScoreTable,
    best_baseline,
    rare_note,
    score_tables,
    verdict,
)
from tests.report.project import TASKS, write_project

NOTHING = {key: Score() for key in ("f1", "hl", "map", "accuracy")}


def table(own: Score, **baselines: float) -> ScoreTable:
    lines = [Line("model", "this model", NOTHING | {"map": own})]
    lines += [Line(name, name, NOTHING | {"map": Score(v)}) for name, v in baselines.items()]
    return ScoreTable("mean", "", lines)


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        (0.4, "below that interval, so the network adds something"),
        (0.5, "within that interval"),
        (0.7, "within that interval"),
        (0.71, "above that interval, so the baseline is better"),
    ],
)
def test_the_verdict_compares_the_best_baseline_with_the_interval(
    baseline: float, said: str
) -> None:
    text = verdict(table(Score(0.6, 0.5, 0.7), majority=0.1, text_linear=baseline))
    assert said in text
    assert f"text_linear, reaches {baseline:.3f}" in text


def test_the_verdict_needs_no_baseline_no_interval_and_no_score() -> None:
    assert verdict(table(Score(0.6))) == "Mean average precision is 0.600."
    assert "nothing to judge by" in verdict(table(Score()))


def test_the_papers_numbers_are_no_baseline() -> None:
    assert best_baseline(table(Score(0.6), paper=0.9)) is None


def test_each_score_lies_within_an_interval_of_its_own(project: object) -> None:
    write_project()
    for of_task in score_tables(read_material(data_set("crisismmd"))):
        for score in of_task.model.scores.values():
            assert 0 <= score.low <= score.high <= 1
            assert score.low - 0.05 <= score.value <= score.high + 0.05


def test_accuracy_is_one_minus_the_hamming_loss_also_of_the_means(project: object) -> None:
    write_project()
    for of_task in score_tables(read_material(data_set("crisismmd"))):
        for line in of_task.lines[:2]:
            hl, accuracy = line.scores["hl"].value, line.scores["accuracy"].value
            assert accuracy == pytest.approx(1 - hl)


def test_rare_classes_are_named() -> None:
    truth = np.array([0] * 30 + [1] * 25 + [2] * 3 + [-1] * 9)
    assert rare_note(TASKS[1], truth).startswith("Only 3 of 58 test labels are severe damage")
    assert rare_note(TASKS[0], truth[:55]) == ""


def test_an_undefined_score_has_no_interval(project: object) -> None:
    write_project(positives=False)
    flood = score_tables(read_material(data_set("crisismmd")))[-1].model.scores
    assert math.isnan(flood["map"].value)
    assert math.isnan(flood["map"].low)
