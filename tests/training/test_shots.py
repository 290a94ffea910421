"""Few-shot training keeps the same few labels, whoever asks for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.mtl import Task
from pipeline.training.examples import Examples
from pipeline.training.shots import few_shots, shots_note

TASKS = [Task("kind", ("none", "flood", "fire"), "none"), Task("rare", ("no", "yes"), "no")]


def examples(rows: int = 600) -> Examples:
    random = np.random.default_rng(0)
    split = random.choice(["train", "train", "train", "val", "test"], rows)
    targets = {
        "kind": random.integers(-1, 3, rows),
        "rare": np.where(random.random(rows) < 0.01, 1, 0),
    }
    sequences = {"text": [np.ones((1, 2), np.float32)] * rows}
    return Examples([f"s{row:03}" for row in range(rows)], split, sequences, targets)


def kept(few: Examples, task: str) -> set[str]:
    rows = few.rows("train")
    return {few.ids[row] for row in rows[few.targets[task][rows] >= 0]}


def test_each_class_of_each_task_keeps_so_many_labels() -> None:
    full = examples()
    few = few_shots(full, TASKS, 16, seed=0)
    for task in TASKS:
        train, rows = full.rows("train"), few.rows("train")
        for code in range(len(task.classes)):
            before = (full.targets[task.name][train] == code).sum()
            after = (few.targets[task.name][rows] == code).sum()
            assert after == min(before, 16)
        same = few.targets[task.name][rows]
        assert ((same == -1) | (same == full.targets[task.name][rows])).all()
    assert 0 < (full.targets["rare"][full.rows("train")] == 1).sum() < 16


def test_more_shots_of_a_seed_hold_the_fewer_ones_and_seeds_differ() -> None:
    full = examples()
    sixteen = few_shots(full, TASKS, 16, seed=0)
    for task in ("kind", "rare"):
        assert kept(few_shots(full, TASKS, 8, seed=0), task) < kept(sixteen, task)
        assert kept(few_shots(full, TASKS, 16, seed=1), task) != kept(sixteen, task)


def test_the_draw_depends_neither_on_the_order_of_the_rows_nor_on_other_tasks() -> None:
    full = examples()
    order = np.random.default_rng(1).permutation(len(full.ids))
    shuffled = replace(
        full,
        ids=[full.ids[row] for row in order],
        split=full.split[order],
        targets={name: values[order] for name, values in full.targets.items()},
    )
    drawn = kept(few_shots(full, TASKS, 8, seed=0), "kind")
    assert kept(few_shots(shuffled, TASKS, 8, seed=0), "kind") == drawn
    assert kept(few_shots(full, TASKS[:1], 8, seed=0), "kind") == drawn


def test_training_rows_without_a_label_are_dropped_and_other_sides_stay() -> None:
    full = examples()
    few = few_shots(full, TASKS, 4, seed=0)
    train = few.rows("train")
    assert len(train) == len(kept(few, "kind") | kept(few, "rare"))
    for side in ("val", "test"):
        assert few.rows(side).tolist() == full.rows(side).tolist()
        for task in full.targets:
            rows = full.rows(side)
            assert few.targets[task][rows].tolist() == full.targets[task][rows].tolist()


def test_without_shots_nothing_changes() -> None:
    full = examples()
    assert few_shots(full, TASKS, None, seed=0) is full


def test_what_is_left_is_told_in_one_line() -> None:
    full = examples()
    few = few_shots(full, TASKS, 4, seed=0)
    left, before = len(few.rows("train")), len(full.rows("train"))
    labels = len(kept(few, "rare"))
    assert shots_note(full, few, TASKS, 4) == (
        "train.shots: 4 labelled training samples a class, fewer where it has fewer: kind 12, "
        f"rare {labels} labels; {left} of {before} training samples are left; validation keeps "
        "all of its labels"
    )
