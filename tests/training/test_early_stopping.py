"""Early stopping: the monitored value, the best epoch, and when training ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.mtl import Task, build_mtl
from pipeline.mtl.method import Predictions
from pipeline.training.examples import Examples
from pipeline.training.learner import relative_loss

Make = Callable[..., Examples]
Run = Callable[..., Any]


def test_relative_loss_is_the_mean_of_the_losses_over_their_initial_ones() -> None:
    assert relative_loss({"a": 1.0, "b": 3.0}, {"a": 2.0, "b": 4.0}) == pytest.approx(0.625)


def test_a_task_without_a_validation_label_or_an_initial_loss_is_left_out() -> None:
    assert relative_loss({"a": 1.0}, {"a": 2.0, "b": 4.0}) == 0.5
    assert relative_loss({"a": 1.0, "b": 9.0}, {"a": 2.0}) == 0.5
    assert relative_loss({"a": 1.0, "b": 9.0}, {"a": 2.0, "b": 0.0}) == 0.5


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


@pytest.mark.parametrize("mtl", ["dmtl", "lsew"])
def test_the_best_epoch_is_restored_exactly(make_examples: Make, run: Run, mtl: str) -> None:
    data = _unlearnable(make_examples())
    network, fitted, log = run(data, mtl=mtl, max_epochs=12, learning_rate=0.03)
    monitored = [values["loss/validation_relative"] for values in log]
    assert fitted.best_epoch == int(np.argmin(monitored))
    assert fitted.best_epoch < len(log) - 1, "the last epoch must not be the best one here"
    # A run that ends there has the same parameters.
    short, _, _ = run(data, mtl=mtl, max_epochs=fitted.best_epoch + 1, learning_rate=0.03)
    expected = short.state_dict()
    assert all(torch.equal(v, expected[name]) for name, v in network.state_dict().items())


@pytest.mark.parametrize("monitor", ["map", "f1"])
def test_the_best_epoch_is_the_one_with_the_best_score_where_a_score_is_monitored(
    make_examples: Make, run: Run, monitor: str
) -> None:
    # Learnt soon: the loss still falls where the ranking is already right.
    _, fitted, log = run(make_examples(rows=120), max_epochs=12, monitor=monitor)
    scores = [values[f"validation/mean_{monitor}"] for values in log]
    assert fitted.best_epoch == int(np.argmax(scores))
    losses = [values["loss/validation_relative"] for values in log]
    assert fitted.best_epoch != int(np.argmin(losses)), "the loss would have chosen the same"


@pytest.mark.parametrize(
    ("scores", "patience", "best", "epochs"),
    [
        ([0.1, 0.3, 0.3, 0.2, 0.9], 2, 1, 4),  # a tie is no improvement
        ([0.1, 0.3, 0.3, 0.2, 0.9], 3, 4, 5),
        ([0.5, 0.4, 0.9], 1, 0, 2),
        ([0.5, math.nan, 0.6, 0.1], 2, 2, 4),  # not a number is never the best
    ],
)
def test_training_ends_patience_epochs_after_the_best(
    make_examples: Make,
    run: Run,
    scores: list[float],
    patience: int,
    best: int,
    epochs: int,
) -> None:
    script = iter(scores)
    _, fitted, log = run(
        make_examples(),
        score=lambda _: {"mean_map": next(script)},
        monitor="map",
        patience=patience,
        max_epochs=len(scores),
    )
    assert fitted.best_epoch == best
    assert fitted.epochs == len(log) == epochs


def test_a_score_that_no_validation_row_defines_cannot_be_monitored(
    make_examples: Make, run: Run
) -> None:
    with pytest.raises(ValueError, match="monitor is map, but no validation row is positive"):
        run(make_examples(), score=lambda _: {}, monitor="map")


def test_a_cycle_that_is_a_run_ends_where_a_run_does_not_improve(
    make_examples: Make, run: Run
) -> None:
    script = iter([0.1, 0.3, 0.2, 0.3, 0.5, 0.4, 0.5, 0.4, 0.5, 0.9])
    _, fitted, _ = run(
        make_examples(),
        score=lambda _: {"mean_map": next(script)},
        mtl="dmtl",
        options={"cycle": "run"},
        monitor="map",
        patience=2,
        max_epochs=10,
    )
    assert (fitted.epochs, fitted.best_epoch) == (9, 4)


def test_the_next_run_goes_on_from_the_best_network_with_weights_by_the_runs_mean_losses(
    make_examples: Make, run: Run
) -> None:
    data, patience = _unlearnable(make_examples()), 4
    _, fitted, log = run(
        data,
        mtl="dmtl",
        options={"cycle": "run", "balance": "none"},
        patience=patience,
        max_epochs=30,
        learning_rate=0.03,
    )
    assert fitted.epochs == fitted.best_epoch + 2 * patience + 1, "two runs"
    first, second = log[: fitted.best_epoch + patience + 1], log[-patience:]
    losses = {k: np.mean([v[f"loss/train/{k}"] for v in first]) for k in data.targets}
    total = sum(1 / loss for loss in losses.values())
    expected = {f"weight/{k}": 3 / loss / total for k, loss in losses.items()}
    for values in second:
        assert {k: values[k] for k in expected} == pytest.approx(expected, rel=1e-5)
    assert {first[-1][k] for k in expected} == {1.0}
    # Validation worsens all along a run, and a run that went on would be worse still.
    assert second[0]["loss/validation_relative"] < first[-1]["loss/validation_relative"]


def test_no_label_on_the_validation_side_is_an_error(make_examples: Make, run: Run) -> None:
    data = make_examples()
    for values in data.targets.values():
        values[data.rows("val")] = -1
    with pytest.raises(ValueError, match="no validation row has a label"):
        run(data)


def test_a_learning_rate_at_which_training_diverges_is_an_error(
    make_examples: Make, run: Run
) -> None:
    with pytest.raises(ValueError, match=r"diverged; lower train\.learning_rate"):
        run(make_examples(), learning_rate=1e30)


def _unlearnable(data: Examples) -> Examples:
    """Validation labels contradict the training ones, so that training on makes them worse."""
    targets = {name: values.copy() for name, values in data.targets.items()}
    for name, values in targets.items():
        wrong = data.rows("val")
        classes = 3 if name == "kind" else 2
        values[wrong] = np.where(values[wrong] < 0, -1, (values[wrong] + 1) % classes)
    return replace(data, targets=targets)
