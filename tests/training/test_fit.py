"""The loop: what it learns, logs, restores and leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.mtl import METHODS, Task
from pipeline.training.early_stopping import relative_loss
from pipeline.training.examples import Examples
from pipeline.training.fit import _MeanLosses
from pipeline.training.predict import predict

Make = Callable[..., Examples]
Run = Callable[..., Any]


@pytest.mark.parametrize("encoder", ["pooled", "bigru"])
@pytest.mark.parametrize("mtl", sorted(METHODS))
def test_a_separable_problem_is_learned_despite_absent_modalities_and_labels(
    make_examples: Make, run: Run, tasks: tuple[Task, ...], encoder: str, mtl: str
) -> None:
    data = make_examples(rows=120, longest=1 if encoder == "pooled" else 3)
    # MTI-Net's dropout stands in series, and takes it longer: at 24 its best epoch is the last.
    epochs = 48 if mtl == "mtinet" else 12
    network, _, _ = run(
        data, fusion="hgfn", mtl=mtl, encoder=encoder, max_epochs=epochs, learning_rate=0.003
    )
    test = data.rows("test")
    # Rows with both modalities tell every label.
    whole = test[data.present("text")[test] & data.present("visual")[test]]
    right = {}
    for name, values in predict(network, data, tasks, whole).items():
        truth = data.targets[name][whole]
        right[name] = (values.argmax(axis=1) == truth)[truth >= 0].mean()
    # Moo stands still at the first task it solves: there the smallest gradient has all weight.
    assert (max if mtl == "moo" else min)(right.values()) > 0.85, right


def test_each_epoch_is_logged_once_with_losses_weights_and_scores(
    make_examples: Make, run: Run, tasks: tuple[Task, ...]
) -> None:
    names = [task.name for task in tasks]
    _, fitted, log = run(make_examples(), mtl="dmtl", max_epochs=3)
    assert len(log) == fitted.epochs == 3
    groups = ("loss/train", "loss/validation", "weight", "validation/map")
    expected = {f"{group}/{name}" for group in groups for name in names}
    expected |= {f"validation/mean_{score}" for score in ("f1", "hl", "map")}
    for values in log:
        assert set(values) == expected | {"loss/validation_relative"}
        assert all(isinstance(value, float) and np.isfinite(value) for value in values.values())


def test_dmtl_weights_move_and_sum_to_the_number_of_tasks(
    make_examples: Make, run: Run, tasks: tuple[Task, ...]
) -> None:
    _, _, log = run(make_examples(), mtl="dmtl")
    weights = [[values[f"weight/{task.name}"] for task in tasks] for values in log]
    assert np.allclose(np.sum(weights, axis=1), len(tasks), atol=1e-5)
    assert np.std(weights, axis=0).max() > 1e-4


@pytest.mark.parametrize("mtl", ["dmtl", "lsew"])
def test_the_best_epoch_is_restored_exactly(make_examples: Make, run: Run, mtl: str) -> None:
    data = _unlearnable(make_examples())
    network, fitted, log = run(data, mtl=mtl, max_epochs=12, learning_rate=0.03)
    monitored = [values["loss/validation_relative"] for values in log]
    assert fitted.best_epoch == int(np.argmin(monitored))
    assert fitted.best == min(monitored)
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
    assert fitted.best == -max(scores)
    losses = [values["loss/validation_relative"] for values in log]
    assert fitted.best_epoch != int(np.argmin(losses)), "the loss would have chosen the same"


def test_training_stops_when_patience_has_run_out(make_examples: Make, run: Run) -> None:
    data = _unlearnable(make_examples())
    _, fitted, log = run(data, max_epochs=60, patience=2, learning_rate=0.03)
    assert fitted.epochs == len(log) == fitted.best_epoch + 1 + 2 < 60


def test_the_monitor_is_the_mean_validation_loss_relative_to_the_first_epochs(
    make_examples: Make, run: Run, tasks: tuple[Task, ...]
) -> None:
    _, _, log = run(make_examples(), mtl="dmtl")
    first = {task.name: log[0][f"loss/train/{task.name}"] for task in tasks}
    for values in log:
        losses = {name: values[f"loss/validation/{name}"] for name in first}
        expected = relative_loss(losses, first)
        assert values["loss/validation_relative"] == pytest.approx(expected, rel=1e-5)


def test_a_task_labelled_nowhere_in_validation_is_trained_but_not_monitored(
    make_examples: Make, run: Run
) -> None:
    data = make_examples()
    data.targets["kind"][data.rows("val")] = -1
    _, _, log = run(data, mtl="dmtl")
    for values in log:
        assert "loss/train/kind" in values
        assert "loss/validation/kind" not in values
        assert values["validation/map/kind"] == 0.0


@pytest.mark.parametrize("mtl", sorted(METHODS))
def test_a_task_labelled_in_one_row_only_trains_with_the_others(
    make_examples: Make, run: Run, tasks: tuple[Task, ...], mtl: str
) -> None:
    data = make_examples()
    train = data.rows("train")
    known = train[data.targets["kind"][train] > 0][:1]
    others = np.setdiff1d(np.arange(len(data.ids)), known)
    data.targets["kind"][others] = -1
    _, _, log = run(data, tasks, mtl=mtl)
    assert all(np.isfinite(list(values.values())).all() for values in log)


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


def test_validation_losses_are_those_of_the_probabilities_without_dropout(
    make_examples: Make, run: Run, tasks: tuple[Task, ...]
) -> None:
    data = make_examples()
    network, _, (values,) = run(data, mtl="lsew", max_epochs=1)
    rows = data.rows("val")
    for name, shown in predict(network, data, tasks, rows).items():
        truth = data.targets[name][rows]
        of_truth = np.take_along_axis(shown, truth.clip(0)[:, None], axis=1)[truth >= 0]
        expected = -np.log(of_truth).mean()
        assert values[f"loss/validation/{name}"] == pytest.approx(expected, abs=1e-5)


def test_training_rows_are_shuffled_from_the_seed_and_the_others_never(
    make_examples: Make, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, seen = Examples.batches, []

    def spy(self: Examples, rows: np.ndarray, size: int, order: Any = None) -> Any:
        if self.split[rows[0]] == "train":
            seen.append(order.bit_generator.state["state"]["state"])
        else:
            assert order is None
        return plain(self, rows, size, order)

    monkeypatch.setattr(Examples, "batches", spy)
    run(make_examples(), seed=5, max_epochs=3)
    assert seen[0] == np.random.default_rng(5).bit_generator.state["state"]["state"]
    assert len(set(seen)) == 3


def test_mean_losses_weigh_batches_by_their_labelled_rows() -> None:
    losses = _MeanLosses()
    losses.add("a", torch.tensor(1.0), 3)
    losses.add("a", torch.tensor(5.0), 1)
    losses.add("b", torch.tensor(0.0), 0)
    assert losses.means() == {"a": 2.0}


def _unlearnable(data: Examples) -> Examples:
    """Validation labels contradict the training ones, so that training on makes them worse."""
    targets = {name: values.copy() for name, values in data.targets.items()}
    for name, values in targets.items():
        wrong = data.rows("val")
        classes = 3 if name == "kind" else 2
        values[wrong] = np.where(values[wrong] < 0, -1, (values[wrong] + 1) % classes)
    return replace(data, targets=targets)
