"""Few-shot training: a few labels of each class, the same ones for every model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.mtl import Task
from pipeline.training.examples import UNKNOWN, Examples

LEFT_OUT = "left out"  # in place of a side: training rows that keep no label


def few_shots(examples: Examples, tasks: Sequence[Task], shots: int | None, seed: int) -> Examples:
    """Keep the labels of `shots` training rows of each class of each task; None: all of them.

    Which ones are drawn depends on the seed, the task and the ids of the rows alone, so that 16
    shots hold the 8 of the same seed. The other training labels become unknown, and training rows
    without a label in any of `tasks` are on no side. Validation and test keep all of theirs.
    """
    if shots is None:
        return examples
    train = examples.split == "train"
    targets, labelled = dict(examples.targets), np.zeros(len(train), bool)
    for task in tasks:
        truth = examples.targets[task.name]
        drawn = np.zeros(len(train), bool)
        order = _order(examples, f"{seed} {task.name}")
        for code in range(len(task.classes)):
            drawn[order[train[order] & (truth[order] == code)][:shots]] = True
        targets[task.name] = np.where(train & ~drawn, UNKNOWN, truth)
        labelled |= drawn
    # As objects: an array of short texts would cut a longer one off.
    split = np.where(train & ~labelled, LEFT_OUT, examples.split.astype(object)).astype(str)
    return replace(examples, targets=targets, split=split)


def shots_note(before: Examples, after: Examples, tasks: Sequence[Task], shots: int) -> str:
    """Say in one line how many labels and rows `few_shots` has left."""
    rows = after.rows("train")
    counts = ", ".join(f"{t.name} {(after.targets[t.name][rows] >= 0).sum():,}" for t in tasks)
    return (
        f"train.shots: {shots} labelled training samples a class, fewer where it has fewer: "
        f"{counts} labels; {len(rows):,} of {len(before.rows('train')):,} training samples are "
        "left; validation keeps all of its labels"
    )


def _order(examples: Examples, key: str) -> np.ndarray:
    """Return the row numbers in an order that looks random and depends on key and ids alone."""
    digests = [hashlib.sha256(f"{key} {name}".encode()).digest() for name in examples.ids]
    return np.array(sorted(range(len(digests)), key=digests.__getitem__), dtype=np.int64)
