"""An operating point has its recall on the rows it was chosen on, and says how sure that is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from pipeline.evaluation.model_folder import Decision, Decisions
from pipeline.prediction.operating_point import (
    FEWEST,
    at_recall,
    promises,
    recall_interval,
    threshold,
)

Scores = st.lists(st.floats(0, 1), min_size=1, max_size=60).map(lambda s: sorted(s, reverse=True))


def decisions_of(**tasks: list[float]) -> Decisions:
    return Decisions(
        model="",
        unsure_below=0.6,
        tasks={
            name: Decision(threshold=0.5, temperature=1.0, positives=scores)
            for name, scores in tasks.items()
        },
    )


MANY = [round(1 - k / 40, 3) for k in range(40)]


@given(Scores, st.floats(0.01, 1))
def test_the_threshold_is_the_highest_with_the_recall(scores: list[float], recall: float) -> None:
    limit = threshold(scores, recall)
    reached = sum(score >= limit for score in scores) / len(scores)
    assert reached >= recall - 1e-12
    above = [score for score in scores if score > limit]
    assert len(above) / len(scores) < recall


@given(Scores, st.floats(0, 1))
def test_the_interval_is_that_of_clopper_and_pearson(scores: list[float], limit: float) -> None:
    recall, low, high = recall_interval(scores, limit)
    hits = sum(score >= limit for score in scores)
    expected = binomtest(hits, len(scores)).proportion_ci(0.95, method="exact")
    assert recall == hits / len(scores)
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_tasks_with_few_positives_keep_their_decision_and_say_so() -> None:
    few = decisions_of(flood=MANY, victim=MANY[: FEWEST - 1], kind=[])
    decisions = at_recall(few, 0.9)
    assert decisions.thresholds == {"flood": MANY[35], "victim": 0.5, "kind": 0.5}
    assert list(promises(decisions)) == [
        "flood: threshold 0.125, recall 0.90 [0.76, 0.97] on 40 positive validation rows",
        "victim: keeps its own decision (19 positive validation rows)",
        "kind: keeps its own decision (several classes, or no positive)",
    ]


@pytest.mark.parametrize("recall", [0.0, 1.5, float("nan")])
def test_a_recall_that_is_none_is_refused(recall: float) -> None:
    with pytest.raises(ValueError, match="allowed: above 0, at most 1"):
        at_recall(decisions_of(flood=MANY), recall)


def test_a_model_without_enough_positives_is_refused_with_their_numbers() -> None:
    with pytest.raises(ValueError, match=r"needs 20 positive .* it has victim 3, kind 0$"):
        at_recall(decisions_of(victim=MANY[:3], kind=[]), 0.9)
