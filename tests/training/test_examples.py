"""From index and feature files to batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.inputs.feature_file import write_features
from pipeline.mtl import Task
from pipeline.training.examples import (
    BLOCK,
    WINDOW,
    Examples,
    label_counts,
    load_examples,
    present_modalities,
    shuffled,
    trainable,
)
from pipeline.training.tasks import load_tasks

TASK = Task("useful", ("no", "yes"), negative="no")
ARRAYS = {
    "a": np.array([[1.0, 2.0], [3.0, 6.0]], np.float32),
    "b": None,
    "c": np.array([[5.0, 7.0]], np.float32),
}


@pytest.fixture
def index() -> pd.DataFrame:
    labels = pd.array([1, None, 0], dtype="Int64")
    sides = pd.array(["train", "val", "test"], dtype="string")
    ids = pd.array(list("abc"), dtype="string")
    return pd.DataFrame({"id": ids, "split": sides, "useful": labels})


@pytest.fixture
def features(tmp_path: Path) -> Path:
    path = tmp_path / "text.h5"
    write_features(path, sorted(ARRAYS.items()), 2, {})
    return path


def test_samples_keep_their_sequences_and_unknown_labels_become_minus_one(
    index: pd.DataFrame, features: Path
) -> None:
    examples = load_examples(index, [TASK], {"text": features}, pooled=False)
    assert examples.ids == ["a", "b", "c"]
    assert examples.targets["useful"].tolist() == [1, -1, 0]
    assert examples.targets["useful"].dtype == np.int64
    assert examples.dims == {"text": 2}
    assert examples.present("text").tolist() == [True, False, True]
    np.testing.assert_array_equal(examples.sequences["text"][0], ARRAYS["a"])
    assert [examples.rows(side).tolist() for side in ("train", "val", "test")] == [[0], [1], [2]]


def test_pooling_takes_the_mean_over_time_and_leaves_the_absent_absent(
    index: pd.DataFrame, features: Path
) -> None:
    examples = load_examples(index, [TASK], {"text": features}, pooled=True)
    assert [a.tolist() for a in examples.sequences["text"]] == [[[2.0, 4.0]], [], [[5.0, 7.0]]]
    assert examples.dims == {"text": 2}


@pytest.mark.parametrize("change", ["other", "fewer", "reordered"])
def test_a_feature_file_of_other_samples_is_an_error(
    index: pd.DataFrame, features: Path, change: str
) -> None:
    wrong = {
        "other": index.replace({"id": {"c": "d"}}),
        "fewer": index.iloc[:2],
        "reordered": index.iloc[::-1],
    }[change]
    with pytest.raises(ValueError, match=r"text\.h5 and the index hold different samples"):
        load_examples(wrong, [TASK], {"text": features}, pooled=False)


def test_labels_that_are_no_class_of_their_task_are_an_error(
    index: pd.DataFrame, features: Path
) -> None:
    index["useful"] += 1
    with pytest.raises(ValueError, match="the index has other classes of task 'useful' than no, y"):
        load_examples(index, [TASK], {"text": features}, pooled=False)


def test_tasks_are_read_as_they_were_described(tmp_path: Path) -> None:
    described = {"name": "x", "classes": ["no", "yes"], "negative": "no", "head": "sigmoid"}
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([described, {"name": "y", "classes": ["p", "q", "r"]}]))
    assert load_tasks(path) == [
        Task("x", ("no", "yes"), negative="no", head="sigmoid"),
        Task("y", ("p", "q", "r")),
    ]


def test_a_batch_is_padded_with_zeros_behind_each_end(
    make_examples: Callable[..., Examples],
) -> None:
    examples = make_examples(longest=4)
    rows = np.array([7, 3, 0, 11])
    (batch,) = examples.batches(rows, len(rows))
    for name, arrays in examples.sequences.items():
        lengths = [len(arrays[row]) for row in rows]
        assert batch.lengths[name].tolist() == lengths
        assert batch.sequences[name].shape == (4, max(lengths), examples.dims[name])
        for padded, row, length in zip(batch.sequences[name], rows, lengths, strict=True):
            np.testing.assert_array_equal(padded[:length].numpy(), arrays[row])
            assert not padded[length:].any()
    assert batch.lengths["text"][0] == 0
    for name, values in examples.targets.items():
        assert batch.targets[name].tolist() == values[rows].tolist()
        assert batch.targets[name].dtype == torch.int64


def test_a_batch_in_which_all_lack_a_modality_has_one_step_of_padding(
    make_examples: Callable[..., Examples],
) -> None:
    (batch,) = make_examples().batches(np.array([0, 7, 14]), 3)
    assert batch.lengths["text"].tolist() == [0, 0, 0]
    assert batch.sequences["text"].shape == (3, 1, 3)


@pytest.mark.parametrize("size", [1, 7, 10, 30, 100])
def test_batches_cover_each_row_once_and_in_order(
    make_examples: Callable[..., Examples], size: int
) -> None:
    examples = _numbered(make_examples())
    rows = examples.rows("train")
    batches = [batch.targets["row"].tolist() for batch in examples.batches(rows, size)]
    assert list(chain(*batches)) == rows.tolist()
    assert {len(batch) for batch in batches[:-1]} <= {size}


def test_the_order_is_drawn_from_the_generator_and_differs_from_epoch_to_epoch(
    make_examples: Callable[..., Examples],
) -> None:
    examples = _numbered(make_examples())
    rows = examples.rows("train")

    def epochs(seed: int) -> list[list[int]]:
        order = np.random.default_rng(seed)
        return [
            list(chain(*(b.targets["row"].tolist() for b in examples.batches(rows, 8, order))))
            for _ in range(2)
        ]

    first, second = epochs(0)
    assert sorted(first) == sorted(second) == rows.tolist()
    assert first != second
    assert first != rows.tolist()
    assert epochs(0) == [first, second]
    assert epochs(1) != [first, second]


@pytest.mark.parametrize("count", [0, 1, WINDOW])
def test_up_to_a_window_the_order_is_a_permutation_of_all_rows(count: int) -> None:
    rows = 3 * np.arange(count)
    expected = np.random.default_rng(5).permutation(rows)
    np.testing.assert_array_equal(shuffled(rows, np.random.default_rng(5)), expected)


@pytest.mark.parametrize("count", [WINDOW + 1, 3 * WINDOW + 1000])
def test_above_a_window_it_consists_of_shuffled_windows_of_whole_blocks(count: int) -> None:
    rows = 2 * np.arange(count)
    order = shuffled(rows, np.random.default_rng(5))
    np.testing.assert_array_equal(np.sort(order), rows)
    np.testing.assert_array_equal(order, shuffled(rows, np.random.default_rng(5)))
    assert (order != shuffled(rows, np.random.default_rng(6))).mean() > 0.99
    window = order[:WINDOW]
    assert (np.abs(np.diff(window)) > 2).mean() > 0.9
    _, sizes = np.unique(window // (2 * BLOCK), return_counts=True)
    # The one block that is shorter shifts the ends of the windows behind it.
    assert (sizes == BLOCK).sum() >= WINDOW // BLOCK - 1


def _numbered(examples: Examples) -> Examples:
    rows = {"row": np.arange(len(examples.ids))}
    return Examples(examples.ids, examples.split, examples.sequences, rows)


def test_a_modality_that_no_training_sample_has_is_not_present(
    make_examples: Callable[..., Examples],
) -> None:
    examples = make_examples()
    assert present_modalities(examples) == ["text", "visual"]
    for row in examples.rows("train"):
        examples.sequences["visual"][row] = np.zeros((0, 4), np.float32)
    assert present_modalities(examples) == ["text"]
    for row in examples.rows("train"):
        examples.sequences["text"][row] = np.zeros((0, 3), np.float32)
    with pytest.raises(ValueError, match="no training sample has any modality"):
        present_modalities(examples)


def labelled(train: list[int], others: list[int]) -> Examples:
    split = np.array(["train"] * len(train) + ["test"] * len(others))
    return Examples([], split, {}, {"t": np.array(train + others)})


def test_labels_are_counted_on_train_and_positives_are_all_but_the_negative_class() -> None:
    examples = labelled([-1, 0, 0, 1, 2, 2], [1, 1, 1])
    assert label_counts(examples, [Task("t", ("x", "y", "z"), negative="z")]) == (
        {"t": 5},
        {"t": 3},
    )
    assert label_counts(examples, [Task("t", ("x", "y", "z"))]) == ({"t": 5}, {})


@pytest.mark.parametrize(
    ("train", "count"), [([-1, -1], 0), ([1, 1, -1], 0), ([0, 1], 1), ([2, 1, -1], 1)]
)
def test_a_task_is_trained_if_training_rows_have_two_classes(train: list[int], count: int) -> None:
    task = Task("t", ("x", "y", "z"))
    assert len(trainable([task], labelled(train, [0, 1, 2]))) == count
