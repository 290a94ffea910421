"""Probabilities: proper ones, and each sample's its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.mtl import Task
from pipeline.training.examples import Examples
from pipeline.training.predict import class_probabilities, predict

Make = Callable[..., Examples]
Run = Callable[..., Any]


def test_a_sigmoid_head_gives_both_classes_and_a_softmax_head_all() -> None:
    logit = torch.tensor([[0.0], [2.0]])
    sigmoid = Task("s", ("no", "yes"), negative="no", head="sigmoid")
    p = 1 / (1 + np.exp(-2))
    expected = torch.tensor([[0.5, 0.5], [1 - p, p]], dtype=torch.float32)
    torch.testing.assert_close(class_probabilities(sigmoid, logit), expected)
    logits = torch.tensor([[1.0, 2.0, 3.0]])
    softmax = class_probabilities(Task("m", ("a", "b", "c")), logits)
    torch.testing.assert_close(softmax, logits.exp() / logits.exp().sum())


@pytest.mark.parametrize("encoder", ["pooled", "bigru"])
@pytest.mark.parametrize("mtl", ["dmtl", "mtinet"])
def test_a_samples_probabilities_sum_to_one_and_do_not_depend_on_its_batch(
    make_examples: Make,
    run: Run,
    tasks: tuple[Task, ...],
    encoder: str,
    mtl: str,
) -> None:
    data = make_examples(longest=1 if encoder == "pooled" else 5)
    network, _, _ = run(data, fusion="hgfn", mtl=mtl, encoder=encoder, max_epochs=2)
    rows = np.arange(len(data.ids))
    together = predict([network], data, tasks, rows)
    backwards = predict([network], data, tasks, rows[::-1], batch_size=1)
    for task in tasks:
        values = together[task.name]
        assert values.shape == (len(rows), len(task.classes))
        assert values.dtype == np.float64
        np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-6)
        assert (values >= 0).all()
        np.testing.assert_allclose(backwards[task.name][::-1], values, atol=1e-6)


def test_predicting_changes_neither_network_nor_random_numbers(
    make_examples: Make, run: Run, tasks: tuple[Task, ...]
) -> None:
    data = make_examples()
    network, _, _ = run(data, mtl="mtinet", max_epochs=1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    random = torch.get_rng_state()
    first = predict([network], data, tasks, data.rows("test"))
    second = predict([network], data, tasks, data.rows("test"))
    assert torch.equal(random, torch.get_rng_state())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    for task in tasks:
        np.testing.assert_array_equal(first[task.name], second[task.name])
