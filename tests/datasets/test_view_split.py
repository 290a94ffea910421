from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets.view_split import split_views
from pipeline.datasets.views import Views

PATH = Path("my.npz")


def views(rows: int = 100, split: np.ndarray | None = None) -> Views:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (rows, 2))
    features = {"a": rng.normal(size=(rows, 2)).astype(np.float32)}
    return Views(features, labels, ("fire", "flood"), np.arange(rows), split)


def sides(*counts: int) -> np.ndarray:
    return np.repeat(["train", "val", "test"], counts)


def refused(given: Views) -> str:
    with pytest.raises(ValueError, match="^" + re.escape("my.npz: ")) as caught:
        split_views(PATH, given, seed=3)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix("my.npz: ")


def test_each_seed_has_a_split_of_its_own_and_always_the_same() -> None:
    first, again, other = (split_views(PATH, views(), seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
    assert dict(zip(*np.unique(first, return_counts=True), strict=True)) == {
        "train": 60,
        "val": 20,
        "test": 20,
    }


def test_groups_stay_whole() -> None:
    grouped = replace(views(), groups=np.arange(100) // 4)
    split = split_views(PATH, grouped, 0)
    assert all(len(set(split[grouped.groups == group])) == 1 for group in range(25))


def test_unknown_labels_do_not_stop_the_split() -> None:
    labels = views().labels.copy()
    labels[::3] = -1
    assert set(split_views(PATH, replace(views(), labels=labels), 0)) == {"train", "val", "test"}


def test_a_split_in_the_file_is_taken_for_every_seed() -> None:
    given = sides(50, 30, 20)
    for seed in (0, 1):
        assert split_views(PATH, views(split=given), seed).tolist() == given.tolist()


@pytest.mark.parametrize(
    ("counts", "empty"), [((0, 50, 50), "train"), ((50, 0, 50), "val"), ((50, 50, 0), "test")]
)
def test_an_empty_side_is_told(counts: tuple[int, ...], empty: str) -> None:
    told = refused(views(split=sides(*counts)))
    assert told == f"split has no {empty} row; bring all of train, val, test"


def test_a_group_on_two_sides_is_told() -> None:
    given = replace(views(split=sides(60, 20, 20)), groups=np.repeat(np.arange(50), 2)[::-1])
    assert split_views(PATH, given, 0) is given.split
    divided = replace(given, groups=np.arange(100) % 50)
    assert refused(divided) == (
        "the split leaks: 40 values of group stand on two sides, the first is '10'"
    )


@pytest.mark.parametrize(("value", "word"), [(1, "positive"), (0, "negative")])
def test_a_label_without_positives_or_negatives_in_training_is_told(value: int, word: str) -> None:
    labels = views().labels.copy()
    labels[:60, 1] = 1 - value
    labels[60:, 1] = value
    told = refused(replace(views(split=sides(60, 20, 20)), labels=labels))
    assert told == (
        f"label flood has no {word} among the training rows; leave it out, or bring a split that "
        "shows it to training"
    )


def test_a_made_split_is_named_by_its_seed() -> None:
    labels = views().labels.copy()
    labels[:, 1] = 0
    assert refused(replace(views(), labels=labels)).startswith(
        "label flood has no positive among the training rows in the split of seed 3;"
    )


def test_a_test_side_without_any_positive_is_told() -> None:
    labels = views().labels.copy()
    labels[80:] = 0
    given = replace(views(split=sides(60, 20, 20)), labels=labels)
    assert refused(given) == "no test row has a positive of any label"


def test_a_view_that_training_never_sees_is_told() -> None:
    values = views().features["a"].copy()
    values[:60] = np.nan
    given = replace(views(split=sides(60, 20, 20)), features={"a": values})
    assert refused(given) == "view_a has NaN in every training row; leave it out"


def test_fewer_than_five_groups_are_told_with_the_file() -> None:
    assert refused(replace(views(), groups=np.arange(100) % 4)).startswith("4 independent groups")
