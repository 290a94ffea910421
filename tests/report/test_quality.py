"""Scores with intervals, and the sentence that judges by them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pipeline.ground.data_set import data_set
from pipeline.report.material import read_material
from pipeline.report.quality import (
    Line,
    Score,
    ScoreTable,
    best_baseline,
    number,
    rare_note,
    score_tables,
    verdict,
)
from tests.report.project import TASKS, write_project

NOTHING = {key: Score() for key in ("f1", "hl", "map", "accuracy")}


def table(own: Score, **leads: Score) -> ScoreTable:
    """Scores of a model and of baselines, all with a MAP of .5, over which it has these leads."""
    scores = NOTHING | {"map": Score(0.5)}
    lines = [Line("model", "this model", NOTHING | {"map": own})]
    lines += [Line(name, name, scores, lead) for name, lead in leads.items()]
    return ScoreTable("mean", "", lines)


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        (
            Score(0.1, 0.01, 0.2),
            "is +0.100 (95 % interval +0.010 to +0.200), so the network adds something",
        ),
        (Score(0.1, -0.01, 0.2), "so these test samples do not tell the two apart"),
        (Score(-0.1, -0.2, -0.01), "so the baseline is better here"),
        (Score(), "nothing here tells whether that is chance"),
    ],
)
def test_the_verdict_is_that_of_the_lead_over_the_best_baseline(lead: Score, said: str) -> None:
    text = verdict(table(Score(0.6, 0.1, 0.9), text_linear=lead))
    assert said in text
    assert "The best baseline, text_linear, reaches 0.500" in text


def test_the_verdict_needs_no_baseline_no_interval_and_no_score() -> None:
    assert verdict(table(Score(0.6))) == "Mean average precision is 0.600."
    assert "nothing to judge by" in verdict(table(Score()))


def test_a_baseline_of_other_tasks_does_not_hide_the_best_of_the_same_tasks() -> None:
    means = table(Score(0.6), zero_shot=Score(), majority=Score(0.1, 0.01, 0.2))
    zero_shot = replace(means.lines[1], scores=NOTHING | {"map": Score(0.9)})
    best = best_baseline(replace(means, lines=[means.model, zero_shot, means.lines[2]]))
    assert best is not None
    assert best.name == "majority"


def test_the_papers_numbers_are_no_baseline() -> None:
    assert best_baseline(table(Score(0.6), paper=Score())) is None


def test_each_score_lies_within_an_interval_of_its_own(project: object) -> None:
    write_project()
    for of_task in score_tables(read_material(data_set("crisismmd"))):
        for score in of_task.model.scores.values():
            assert 0 <= score.low <= score.high <= 1
            assert score.low - 0.05 <= score.value <= score.high + 0.05


def test_the_lead_over_a_baseline_that_predicts_the_same_is_nothing(project: object) -> None:
    write_project()
    material = read_material(data_set("crisismmd"))
    own, table = material.predictions.iloc[material.test], material.baseline_predictions
    for name in (column for column in table if column.startswith("majority.")):
        table[name] = own[name.removeprefix("majority.")].to_numpy()
    for of_task in score_tables(material):
        leads = {line.name: line.lead for line in of_task.lines}
        assert leads["majority"] == Score(0.0, 0.0, 0.0)
        text_linear = leads["text_linear"]
        assert text_linear.low < text_linear.value < text_linear.high
        lines = {line.name: line.scores["map"].value for line in of_task.lines}
        assert text_linear.value == pytest.approx(lines["model"] - lines["text_linear"])


def test_the_means_of_a_baseline_of_other_tasks_have_no_lead(project: object) -> None:
    write_project()
    material = read_material(data_set("crisismmd"))
    kept = [c for c in material.baseline_predictions if not c.startswith("majority.flood.")]
    material = replace(material, baseline_predictions=material.baseline_predictions[kept])
    means, informative, *_, flood = score_tables(material)
    leads = [{line.name: line.lead for line in t.lines} for t in (means, informative, flood)]
    known = [not math.isnan(lead["majority"].value) for lead in leads]
    assert known == [False, True, False]


def test_accuracy_is_one_minus_the_hamming_loss_also_of_the_means(project: object) -> None:
    write_project()
    for of_task in score_tables(read_material(data_set("crisismmd"))):
        for line in of_task.lines[:2]:
            hl, accuracy = line.scores["hl"].value, line.scores["accuracy"].value
            assert accuracy == pytest.approx(1 - hl)


def test_the_verdict_warns_of_classes_with_few_test_labels() -> None:
    leading = replace(table(Score(0.6, 0.1, 0.9), majority=Score(0.1, 0.01, 0.2)), few=True)
    assert "adds something. Some classes have fewer than 20 test labels" in verdict(leading)
    assert "fewer than" not in verdict(replace(leading, few=False))


def test_a_table_says_whether_a_class_has_few_test_labels(project: object) -> None:
    write_project()  # of 20 test samples
    assert all(of_task.few for of_task in score_tables(read_material(data_set("crisismmd"))))


def test_a_difference_has_its_sign_and_zero_is_positive() -> None:
    assert [number(value, "+") for value in (0.1, -0.1, -0.0001)] == [
        "+0.100",
        "\u22120.100",
        "+0.000",
    ]


def test_rare_classes_are_named() -> None:
    truth = np.array([0] * 30 + [1] * 25 + [2] * 3 + [-1] * 9)
    assert rare_note(TASKS[1], truth).startswith("Only 3 of 58 test labels are severe damage")
    assert rare_note(TASKS[0], truth[:55]) == ""


def test_an_undefined_score_has_no_interval(project: object) -> None:
    write_project(positives=False)
    flood = score_tables(read_material(data_set("crisismmd")))[-1].model.scores
    assert math.isnan(flood["map"].value)
    assert math.isnan(flood["map"].low)
