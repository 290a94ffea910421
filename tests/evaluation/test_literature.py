from __future__ import annotations

import pytest

from pipeline.evaluation.literature import PUBLISHED, beside_published
from pipeline.params import CrisisMMDParams


def scores(*tasks: str) -> dict[str, dict[str, float | int]]:
    values: dict[str, float | int] = {"accuracy": 0.8, "support": 10}
    return {**dict.fromkeys(tasks, values), "mean": {"f1": 0.5}}


def test_our_accuracy_stands_beside_the_published_ones() -> None:
    assert beside_published("official_informative", scores("informative")) == (
        "official_informative: accuracy 0.800; published: text and image 0.844, image alone 0.833 "
        "(Ofli, Alam and Imran 2020)"
    )


def test_where_nothing_is_published_it_is_said() -> None:
    told = beside_published("official_damage", scores("damage"))
    assert told == "official_damage: accuracy 0.800; published: nothing"


@pytest.mark.parametrize(
    ("split", "tasks"),
    [("grouped", ["informative"]), ("official_informative", ["a_no", "a_yes"])],
)
def test_what_cannot_be_compared_is_not(split: str, tasks: list[str]) -> None:
    assert beside_published(split, scores(*tasks)) == ""


def test_a_task_without_labelled_test_rows_has_no_accuracy_to_tell() -> None:
    assert beside_published("official_damage", {"damage": {"support": 0}, "mean": {}}) == ""


def test_every_official_split_is_known() -> None:
    schema = CrisisMMDParams.model_json_schema()["properties"]["split"]["enum"]
    assert set(schema) == {"grouped", *PUBLISHED}
