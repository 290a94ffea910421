"""The splits of a comparison: whole groups, one a seed or an event, and what cannot be learnt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.evaluation.comparison.cells import Problem
from pipeline.evaluation.comparison.splits import (
    NO_SIDE,
    divide,
    event_splits,
    omitted_notes,
    seed_splits,
)
from pipeline.evaluation.comparison.subject import Subject, label_task
from pipeline.mtl import Task
from pipeline.training.examples import Examples

NAMES = ("fire", "flood")


def subject(rows: int = 100, split: np.ndarray | None = None, **changes: Any) -> Subject:
    """Two labels that are chance, and one view."""
    random = np.random.default_rng(0)
    targets = {name: random.integers(0, 2, rows) for name in NAMES}
    views = {"a": [row[None] for row in random.normal(size=(rows, 2)).astype(np.float32)]}
    side = np.full(rows, "") if split is None else split
    examples = Examples([str(row) for row in range(rows)], side, views, targets)
    problem = Problem(examples, tuple(label_task(name) for name in NAMES), "pooled")
    return replace(Subject("made", "made.npz", problem, np.arange(rows), split), **changes)


def with_targets(given: Subject, **targets: np.ndarray) -> Subject:
    examples = given.problem.examples
    examples = replace(examples, targets=examples.targets | targets)
    return replace(given, problem=replace(given.problem, examples=examples))


def sides(*counts: int) -> np.ndarray:
    return np.repeat(["train", "val", "test"], counts)


def test_each_seed_has_a_split_of_its_own_and_always_the_same() -> None:
    made = seed_splits(subject(), 2)
    np.testing.assert_array_equal(made.sides[0], seed_splits(subject(), 1).sides[0])
    assert (made.sides[0] != made.sides[1]).any()
    counts = dict(zip(*np.unique(made.sides[0], return_counts=True), strict=True))
    assert counts == {"train": 60, "val": 20, "test": 20}
    assert made.overlap == pytest.approx(1 / 3)


def test_groups_stay_whole() -> None:
    groups = np.arange(100) // 4
    split = seed_splits(subject(groups=groups), 1).sides[0]
    assert all(len(set(split[groups == group])) == 1 for group in range(25))


def test_unknown_labels_do_not_stop_the_split() -> None:
    fire = subject().problem.examples.targets["fire"].copy()
    fire[::3] = -1
    split = seed_splits(with_targets(subject(), fire=fire), 1).sides[0]
    assert set(split) == {"train", "val", "test"}


def test_a_split_in_the_file_is_used_for_every_seed() -> None:
    given = sides(50, 30, 20)
    made = seed_splits(subject(split=given), 2)
    for split in made.sides.values():
        assert split.tolist() == given.tolist()
    assert made.overlap == 0.0


@pytest.mark.parametrize("value", [0, 1])
def test_a_label_without_positives_or_negatives_in_training_is_left_out(value: int) -> None:
    flood = np.arange(100) % 2
    flood[:60] = value
    given = with_targets(subject(split=sides(60, 20, 20)), flood=flood)
    splits = seed_splits(given, 2)
    problem, omitted = divide(given, splits)
    assert [task.name for task in problem.tasks] == ["fire"]
    assert set(problem.examples.targets) == {"fire"}
    assert omitted_notes(omitted, splits) == [
        "left out (a training side has rows of one class of it at most): flood (seed 0)"
    ]
    assert omitted_notes(divide(subject(), splits)[1], splits) == []


def test_a_label_that_one_seed_alone_cannot_learn_is_left_out_of_every_seed() -> None:
    rare = (np.arange(100) == 0).astype(int)
    given = with_targets(subject(), flood=rare)
    splits = seed_splits(given, 8)
    learnable = [bool(rare[split == "train"].any()) for split in splits.sides.values()]
    assert any(learnable)
    problem, omitted = divide(given, splits)
    assert omitted.tasks == {"flood": learnable.index(False)}
    assert [task.name for task in problem.tasks] == ["fire"]


DAMAGE = Task("damage", ("none", "mild", "severe", "total"), negative="mild")


def of_classes(truth: np.ndarray) -> Subject:
    given = subject(split=sides(60, 20, 20))
    problem = replace(given.problem, tasks=(DAMAGE, *given.problem.tasks))
    return with_targets(replace(given, problem=problem), damage=truth)


def test_a_class_that_training_lacks_is_left_out_and_its_rows_are_unknown() -> None:
    truth = np.arange(100) % 4
    truth[:60][truth[:60] == 1] = 0
    truth[70] = -1
    given = of_classes(truth)
    splits = seed_splits(given, 1)
    problem, omitted = divide(given, splits)
    assert problem.tasks[0] == Task("damage", ("none", "severe", "total"))
    expected = np.array([0, -1, 1, 2, -1])[truth]
    np.testing.assert_array_equal(problem.examples.targets["damage"], expected)
    assert omitted_notes(omitted, splits) == [
        "classes left out, their rows unknown (a training side has none of it): "
        "mild of damage (seed 0)"
    ]
    truth[:60] = 3
    assert divide(of_classes(truth), splits)[1].tasks == {"damage": 0}


def test_a_view_that_training_lacks_is_left_out() -> None:
    given = subject(split=sides(60, 20, 20))
    examples = given.problem.examples
    absent = [row[:0] if n < 60 else row for n, row in enumerate(examples.sequences["a"])]
    views = {**examples.sequences, "b": absent}
    given = replace(
        given, problem=replace(given.problem, examples=replace(examples, sequences=views))
    )
    splits = seed_splits(given, 1)
    problem, omitted = divide(given, splits)
    assert list(problem.examples.sequences) == ["a"]
    assert omitted_notes(omitted, splits) == [
        "views left out (no row of a training side has it): b (seed 0)"
    ]
    alone = replace(problem, examples=replace(examples, sequences={"b": absent}))
    with pytest.raises(ValueError, match="no view is there"):
        divide(replace(given, problem=alone), splits)


EVENTS = np.repeat(["flood_a", "fire_b", "", "quake_c"], 25)


def test_each_event_is_the_test_side_once_and_its_groups_are_nowhere_else() -> None:
    groups = np.arange(100)
    groups[30] = 3  # a tweet of fire_b that is also one of flood_a
    given = subject(groups=groups, events=EVENTS)
    splits = event_splits(given)
    assert splits.events == ("fire_b", "flood_a", "quake_c")
    for split, event in zip(splits.sides.values(), splits.events, strict=True):
        assert ((split == "test") == (event == EVENTS)).all()
        assert not set(groups[split == "test"]) & set(groups[(split != "test") & (split != "")])
        assert (split == "train").sum() > 2 * (split == "val").sum() > 30
    assert splits.sides[1][30] == splits.sides[0][3] == NO_SIDE
    assert "flood_a 25 (1)" in splits.note
    assert (splits.overlap, splits.unit, splits.named(0, 2)) == (0.0, "event", "fire_b, quake_c")


def test_the_other_events_are_divided_by_whole_groups() -> None:
    groups = np.arange(100) // 4
    for split in event_splits(subject(groups=groups, events=EVENTS)).sides.values():
        others = (split == "train") | (split == "val")
        assert all(len(set(split[others & (groups == group)])) <= 1 for group in range(25))


def no_labels_in(event: str) -> Subject:
    unknown = {
        name: np.where(event == EVENTS, -1, truth)
        for name, truth in subject().problem.examples.targets.items()
    }
    return with_targets(subject(events=EVENTS), **unknown)


EVENT_FAULTS = {
    "no row has an event; leave out --by event": subject(),
    "all rows are of flood; leave": subject(events=np.full(100, "flood")),
    "without fire_b: 3 independent groups": subject(groups=np.arange(100) // 25, events=EVENTS),
    "event quake_c: no test row has a positive of any label; label some": no_labels_in("quake_c"),
}


@pytest.mark.parametrize("message", EVENT_FAULTS)
def test_events_that_cannot_be_tested_are_refused_with_the_cure(message: str) -> None:
    given = EVENT_FAULTS[message]
    with pytest.raises(ValueError, match=f"^{message}"):
        divide(given, event_splits(given))


def labels_zero(where: slice) -> Subject:
    given = subject(split=sides(60, 20, 20))
    targets = {name: truth.copy() for name, truth in given.problem.examples.targets.items()}
    for truth in targets.values():
        truth[where] = 0
    return with_targets(given, **targets)


FAULTS = {
    "no label has positives and negatives among the training rows": labels_zero(slice(0, 60)),
    "no test row has a positive of any label": labels_zero(slice(80, 100)),
    "the split leaks: 40 values of group": subject(
        split=sides(60, 20, 20), groups=np.arange(100) % 50
    ),
    "4 independent groups": subject(groups=np.arange(100) % 4),
    "no val row has a positive of any label": subject(split=sides(50, 0, 50)),
}


@pytest.mark.parametrize("message", FAULTS)
def test_what_cannot_be_compared_is_refused(message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        divide(FAULTS[message], seed_splits(FAULTS[message], 4))
