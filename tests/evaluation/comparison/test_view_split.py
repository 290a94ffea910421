"""The splits of ready-made features: whole groups, one a seed, and what cannot be learnt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.evaluation.comparison.views import Views, split_views


def views(rows: int = 100, split: np.ndarray | None = None) -> Views:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, (rows, 2))
    features = {"a": random.normal(size=(rows, 2)).astype(np.float32)}
    return Views(features, labels, ("fire", "flood"), np.arange(rows), split)


def sides(*counts: int) -> np.ndarray:
    return np.repeat(["train", "val", "test"], counts)


def splits(given: Views, *seeds: int) -> list[np.ndarray]:
    return list(split_views(given, seeds)[1].values())


def test_each_seed_has_a_split_of_its_own_and_always_the_same() -> None:
    first, other = splits(views(), 0, 1)
    (again,) = splits(views(), 0)
    assert (first == again).all()
    assert (first != other).any()
    counts = dict(zip(*np.unique(first, return_counts=True), strict=True))
    assert counts == {"train": 60, "val": 20, "test": 20}


def test_groups_stay_whole() -> None:
    grouped = replace(views(), groups=np.arange(100) // 4)
    (split,) = splits(grouped, 0)
    assert all(len(set(split[grouped.groups == group])) == 1 for group in range(25))


def test_unknown_labels_do_not_stop_the_split() -> None:
    labels = views().labels.copy()
    labels[::3] = -1
    assert set(splits(replace(views(), labels=labels), 0)[0]) == {"train", "val", "test"}


def test_a_split_in_the_file_is_used_for_every_seed() -> None:
    given = sides(50, 30, 20)
    for split in splits(views(split=given), 0, 1):
        assert split.tolist() == given.tolist()


@pytest.mark.parametrize("value", [0, 1])
def test_a_label_without_positives_or_negatives_in_training_is_left_out(value: int) -> None:
    labels = views().labels.copy()
    labels[:60, 1] = value
    given = replace(views(split=sides(60, 20, 20)), labels=labels)
    remaining, _, omitted = split_views(given, [0, 1])
    assert remaining.names == ("fire",)
    np.testing.assert_array_equal(remaining.labels[:, 0], labels[:, 0])
    assert omitted == {"flood": 0}
    assert split_views(views(), [0])[2] == {}


def test_a_label_that_one_seed_alone_cannot_learn_is_left_out_of_every_seed() -> None:
    labels = views().labels.copy()
    labels[:, 1] = np.arange(100) == 0
    remaining, made, omitted = split_views(replace(views(), labels=labels), range(8))
    learnable = [(labels[split == "train", 1] == 1).any() for split in made.values()]
    assert any(learnable)
    assert omitted == {"flood": learnable.index(False)}
    assert remaining.names == ("fire",)


FIRST_60 = sides(60, 20, 20)


def with_labels(where: slice) -> Views:
    labels = views().labels.copy()
    labels[where] = 0
    return replace(views(split=FIRST_60), labels=labels)


def without_view() -> Views:
    values = views().features["a"].copy()
    values[:60] = np.nan
    return replace(views(split=FIRST_60), features={"a": values})


FAULTS = {
    "no label has positives and negatives among the training rows": with_labels(slice(0, 60)),
    "no test row has a positive of any label": with_labels(slice(80, 100)),
    "view_a has NaN in every training row; leave it out": without_view(),
    "the split leaks: 40 values of group": replace(
        views(split=FIRST_60), groups=np.arange(100) % 50
    ),
    "4 independent groups": replace(views(), groups=np.arange(100) % 4),
    "no val row has a positive of any label": views(split=sides(50, 0, 50)),
}


@pytest.mark.parametrize("message", FAULTS)
def test_what_cannot_be_compared_is_refused(message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        split_views(FAULTS[message], [3])
