"""The monitored value, and patience."""

from __future__ import annotations

import math

import pytest
import torch

from pipeline.mtl import Predictions, Task, build_mtl
from pipeline.training.early_stopping import EarlyStopping, relative_loss


def test_relative_loss_is_the_mean_of_the_losses_over_their_initial_ones() -> None:
    assert relative_loss({"a": 1.0, "b": 3.0}, {"a": 2.0, "b": 4.0}) == pytest.approx(0.625)


def test_a_task_without_a_validation_label_or_an_initial_loss_is_left_out() -> None:
    assert relative_loss({"a": 1.0}, {"a": 2.0, "b": 4.0}) == 0.5
    assert relative_loss({"a": 1.0, "b": 9.0}, {"a": 2.0}) == 0.5
    assert relative_loss({"a": 1.0, "b": 9.0}, {"a": 2.0, "b": 0.0}) == 0.5


@pytest.mark.parametrize(("losses", "initial"), [({}, {"a": 1.0}), ({"a": 1.0}, {})])
def test_no_task_left_is_an_error(losses: dict[str, float], initial: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no validation row has a label"):
        relative_loss(losses, initial)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_diverged_loss_is_an_error_that_tells_the_cure(value: float) -> None:
    with pytest.raises(ValueError, match=r"diverged; lower train\.learning_rate"):
        relative_loss({"a": value}, {"a": 1.0})


def test_the_monitor_does_not_move_when_only_the_task_weights_do() -> None:
    tasks = [Task("a", ("no", "yes")), Task("b", ("no", "yes"))]
    method = build_mtl("dmtl", tasks, positives={"a": 1, "b": 1}, labelled={"a": 2, "b": 2})
    logits = {name: torch.tensor([[0.3, -0.2], [1.0, 0.5]]) for name in "ab"}
    predictions = Predictions(logits, logits, torch.zeros(2, 1))
    targets = {"a": torch.tensor([0, 1]), "b": torch.tensor([1, -1])}

    def monitor() -> float:
        losses = method.evaluation_losses(predictions, targets)
        return relative_loss({k: float(v) for k, (v, _) in losses.items()}, {"a": 0.2, "b": 0.9})

    before = monitor()
    method.task_weights.copy_(torch.tensor([1.9, 0.1]))
    assert monitor() == before


def test_an_epoch_is_better_only_if_it_is_lower() -> None:
    stopping = EarlyStopping(patience=3)
    values = [3.0, 2.0, 2.0, 2.5, 1.0]
    improved = [stopping.improved(value, epoch) for epoch, value in enumerate(values)]
    assert improved == [True, True, False, False, True]
    assert (stopping.best, stopping.best_epoch) == (1.0, 4)


def test_what_is_not_a_number_is_never_the_best() -> None:
    stopping = EarlyStopping(patience=3)
    assert not stopping.improved(math.nan, 0)
    assert stopping.improved(5.0, 1)
    assert not stopping.improved(math.nan, 2)


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_patience_counts_the_epochs_since_the_best(patience: int) -> None:
    stopping = EarlyStopping(patience)
    stopping.improved(9.0, 0)
    assert not stopping.exhausted(0)
    stopping.improved(1.0, 1)
    ended = []
    for epoch in range(2, 12):
        stopping.improved(1.0, epoch)  # a tie is no improvement
        ended.append(stopping.exhausted(epoch))
    assert ended.index(True) == patience - 1
    assert all(ended[patience - 1 :])
