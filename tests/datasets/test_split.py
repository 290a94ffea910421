from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets.split import check_no_leak, event_split, grouped_split, in_training


def frame(labels: dict[str, list[int | None]]) -> pd.DataFrame:
    return pd.DataFrame({task: pd.array(values, "Int64") for task, values in labels.items()})


@st.composite
def samples(draw: st.DrawFn) -> tuple[pd.Series, pd.DataFrame]:
    """Five to thirty groups of one to six samples, two tasks, unknowns."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=5, max_size=30))
    groups = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]
    label = st.none() | st.integers(0, 2)
    columns = [draw(st.lists(label, min_size=len(groups), max_size=len(groups))) for _ in range(2)]
    return pd.Series(groups), frame(dict(zip(("a", "b"), columns, strict=True)))


@settings(max_examples=60, deadline=None)
@given(samples(), st.randoms(use_true_random=False))
def test_groups_are_whole_all_sides_are_there_and_order_does_not_matter(
    drawn: tuple[pd.Series, pd.DataFrame], random: object
) -> None:
    groups, labels = drawn
    parts = grouped_split(groups, labels)
    assert set(parts) == {"train", "val", "test"}
    assert (parts.groupby(groups).nunique() == 1).all()
    check_no_leak(pd.DataFrame({"group": groups, "split": parts}), {})
    order = list(range(len(groups)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = grouped_split(groups.iloc[order], labels.iloc[order])
    assert shuffled.sort_index().equals(parts)
    assert grouped_split(groups, labels).equals(parts)


def many(count: int, rare: float) -> tuple[pd.Series, pd.DataFrame]:
    rng = np.random.default_rng(7)
    sizes = rng.choice([1, 1, 1, 2, 3, 8], count)
    groups = pd.Series(np.repeat([f"g{k:05}" for k in range(count)], sizes))
    common = rng.integers(0, 3, len(groups)).tolist()
    seldom = (rng.random(len(groups)) < rare).astype(int).tolist()
    unknown = rng.random(len(groups)) < 0.7
    some = [None if hidden else c for c, hidden in zip(common, unknown, strict=True)]
    return groups, frame({"common": common, "rare": seldom, "seldom_known": some})


def test_the_fractions_are_near_60_20_20() -> None:
    groups, labels = many(1000, 0.02)
    fractions = grouped_split(groups, labels).value_counts(normalize=True)
    assert fractions["train"] == pytest.approx(0.6, abs=0.02)
    assert fractions["val"] == pytest.approx(0.2, abs=0.02)
    assert fractions["test"] == pytest.approx(0.2, abs=0.02)


def test_each_class_of_each_task_has_its_share_of_each_side() -> None:
    groups, labels = many(1000, 0.02)
    parts = grouped_split(groups, labels)
    for task in labels:
        for code in labels[task].dropna().unique():
            of_class = parts[(labels[task] == code).fillna(False)]
            share = of_class.value_counts(normalize=True)
            # A rare class has about 40 samples in about as many groups: each one counts 2.5 %.
            tolerance = 0.06 if len(of_class) < 60 else 0.035
            assert share["val"] == pytest.approx(0.2, abs=tolerance), (task, code)
            assert share["test"] == pytest.approx(0.2, abs=tolerance), (task, code)


def test_five_samples_of_a_label_reach_every_side() -> None:
    groups = pd.Series([f"g{k:03}" for k in range(200)])
    labels = frame({"rare": [1 if k % 40 == 0 else 0 for k in range(200)]})
    parts = grouped_split(groups, labels)
    assert parts[labels["rare"] == 1].value_counts().to_dict() == {"train": 3, "val": 1, "test": 1}


def test_big_groups_are_spread_too() -> None:
    groups = pd.Series([f"g{k // 10 if k < 100 else k:03}" for k in range(400)])
    parts = grouped_split(groups, frame({"task": [0] * 400}))
    assert parts[:100].value_counts().to_dict() == {"train": 60, "val": 20, "test": 20}


@pytest.mark.parametrize("count", [0, 1, 4])
def test_fewer_than_five_groups_cannot_be_split(count: int) -> None:
    groups = pd.Series([f"g{k}" for k in range(count)] * 3, dtype=object)
    with pytest.raises(ValueError, match=rf"{count} independent groups .* at least 5 are needed"):
        grouped_split(groups, frame({"task": [0] * 3 * count}))


@pytest.mark.parametrize("key", ["group", "tweet id", "image bytes"])
def test_a_value_on_two_sides_is_a_leak(key: str) -> None:
    values = {name: ["u", "v", "w", None] for name in ("group", "tweet id", "image bytes")}
    values[key] = ["u", "v", "u", None]
    index = pd.DataFrame({"group": values.pop("group"), "split": ["train", "val", "test", "val"]})
    keys = {name: pd.Series(column, dtype=object) for name, column in values.items()}
    with pytest.raises(ValueError, match=rf"leaks: 1 values of {key} .* the first is 'u'"):
        check_no_leak(index, keys)


def test_no_value_is_no_leak() -> None:
    index = pd.DataFrame({"group": ["a", "b"], "split": ["train", "test"]})
    check_no_leak(index, {"text": pd.Series([None, None], dtype=object)})


def test_an_event_is_the_test_side_and_what_touches_it_is_on_none() -> None:
    groups, labels = many(400, 0.1)
    events = pd.Series(["fire", "flood", "quake", "storm"])[np.arange(len(groups)) % 4].reset_index(
        drop=True
    )
    sides = event_split(events, groups, labels, "fire")
    assert (sides[events == "fire"] == "test").all()
    assert not (sides[events != "fire"] == "test").any()
    touched = groups.isin(groups[events == "fire"]) & (events != "fire")
    assert touched.any()
    assert sides.isna().equals(touched)
    assert (sides.dropna().groupby(groups).nunique() == 1).all()
    shares = sides[sides != "test"].value_counts(normalize=True)
    assert shares["val"] == pytest.approx(0.25, abs=0.03)


def test_an_event_without_others_cannot_be_left_out() -> None:
    groups = pd.Series(list("abcdef"))
    with pytest.raises(ValueError, match=r"0 independent groups .* split 75/25; at least 4"):
        event_split(pd.Series(["fire"] * 6), groups, frame({"task": [0] * 6}), "fire")


def test_test_samples_of_a_group_in_training_leak() -> None:
    index = pd.DataFrame(
        {"group": list("aabbcd"), "split": ["train", "test", "val", "test"] + ["test"] * 2}
    )
    assert in_training(index).tolist() == [False, True, False, False, False, False]
