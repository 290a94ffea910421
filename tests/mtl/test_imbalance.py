from __future__ import annotations

import warnings

import pytest

from pipeline.mtl import Task
from pipeline.mtl.imbalance import inverse_distribution_ratios

TASKS = (Task("rare", ("n", "y"), negative="n"), Task("kind", ("a", "b", "c")))


def test_ratio_is_labelled_over_positive():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ratios = inverse_distribution_ratios(
            TASKS, {"rare": 5, "kind": 40}, {"rare": 50, "kind": 50}
        )
    assert ratios.tolist() == [10.0, 1.25]


def test_a_task_without_counts_gets_one_with_one_warning():
    with pytest.warns(UserWarning, match="1 for kind: declare a negative class") as told:
        ratios = inverse_distribution_ratios(TASKS, {"rare": 5}, {"rare": 50})
    assert ratios.tolist() == [10.0, 1.0]
    assert len(told) == 1
    with pytest.warns(UserWarning, match="1 for rare, kind:") as told:
        inverse_distribution_ratios(TASKS, None, None)
    assert len(told) == 1


@pytest.mark.parametrize(
    ("positives", "labelled", "message"),
    [
        ({"rare": 0}, {"rare": 50}, "'rare' has 0 positive samples"),
        ({"rare": 51}, {"rare": 50}, "'rare': 51 positives of 50"),
        ({"rare": 5}, {}, "go together.*rare"),
        (None, {"rare": 5}, "go together.*rare"),
        ({"rara": 5}, {"rara": 50}, "name no task: rara"),
    ],
)
def test_counts_that_cannot_be_name_the_task(positives, labelled, message):
    with pytest.raises(ValueError, match=message):
        inverse_distribution_ratios(TASKS, positives, labelled)
