"""Counts of labels, and training from a seed to a fitted network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.models.fusion.build import FUSIONS
from pipeline.mtl import METHODS, Task
from pipeline.training.examples import Examples
from pipeline.training.run import label_counts, trainable

Make = Callable[..., Examples]
Run = Callable[..., Any]


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
    ("train", "kept"), [([-1, -1], 0), ([1, 1, -1], 0), ([0, 1], 1), ([2, 1, -1], 1)]
)
def test_a_task_is_trained_if_training_rows_show_two_classes(train: list[int], kept: int) -> None:
    task = Task("t", ("x", "y", "z"))
    assert len(trainable([task], labelled(train, [0, 1, 2]))) == kept


@pytest.mark.parametrize("mtl", sorted(METHODS))
@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_every_fusion_trains_with_every_method_even_on_a_last_batch_of_one_row(
    make_examples: Make, run: Run, fusion: str, mtl: str
) -> None:
    data = make_examples()
    rows = len(data.rows("train"))
    network, fitted, log = run(data, fusion=fusion, mtl=mtl, max_epochs=2, batch_size=rows - 1)
    assert (fitted.epochs, len(log)) == (2, 2)
    assert all(np.isfinite(list(values.values())).all() for values in log)
    assert all(parameter.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_every_fusion_trains_on_sequences_of_three_modalities_or_one(
    make_examples: Make, run: Run, fusion: str
) -> None:
    data = make_examples(longest=3)
    third = {**data.sequences, "audio": data.sequences["visual"]}
    for modalities in (third, {"text": data.sequences["text"]}):
        chosen = Examples(data.ids, data.split, modalities, data.targets)
        _, _, (values,) = run(chosen, fusion=fusion, encoder="bigru", max_epochs=1)
        assert np.isfinite(list(values.values())).all()


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(
    make_examples: Make, run: Run
) -> None:
    states = []
    for seed in (0, 0, 1):
        torch.rand(len(states))  # whatever was drawn before
        network, _, log = run(make_examples(), fusion="hgfn", mtl="dmtl", seed=seed)
        states.append((network.state_dict(), log))
    (first, told), (again, told_again), (other, _) = states
    assert told == told_again
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_features_are_scaled_by_training_rows_alone(make_examples: Make, run: Run) -> None:
    plain, changed = make_examples(), make_examples()
    for row in np.flatnonzero(changed.split != "train"):
        changed.sequences["text"][row] += 1000
    first, second = (run(data, max_epochs=1)[0].standardise for data in (plain, changed))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])


def test_test_rows_have_no_influence(make_examples: Make, run: Run) -> None:
    data = make_examples()
    targets = {name: values.copy() for name, values in data.targets.items()}
    for values in targets.values():
        values[data.rows("test")] = 0
    sequences = {
        name: [a + 5 if side == "test" else a for a, side in zip(arrays, data.split, strict=True)]
        for name, arrays in data.sequences.items()
    }
    changed = replace(data, targets=targets, sequences=sequences)
    (network, _, log), (other, _, other_log) = run(data, mtl="dmtl"), run(changed, mtl="dmtl")
    assert log == other_log
    state = other.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
