"""DMTL's training cycles: the reset at their end, and the initial losses that never move."""

from __future__ import annotations

import math

import pytest
import torch


def test_weights_stay_one_until_the_initial_losses_are_known(build_dmtl, batch, step):
    method = build_dmtl()
    for _ in range(3):
        step(method, *batch)
        assert set(method.weights.values()) == {1.0}
    method.on_epoch_end()
    assert len(set(method.weights.values())) == 4


def test_the_reset_uses_the_unweighted_mean_of_the_cycle_by_label_counts(
    build_dmtl, toy, tasks, make_inputs, make_labels, step
):
    method, network = build_dmtl(), toy(tasks)
    targets = make_labels(tasks, 12)
    for rows in (slice(0, 2), slice(2, 12)):
        step(method, network(make_inputs(12)[rows]), {k: v[rows] for k, v in targets.items()})
    whole = method.evaluation_losses(network(make_inputs(12)), targets)
    method.on_epoch_end()
    weighted = [method.weights[name] * loss.item() for name, (loss, _) in whole.items()]
    assert weighted == pytest.approx([weighted[0]] * 4)


def test_a_cycle_may_be_a_run_whose_mean_losses_reset_the_weights(build_dmtl, batch, step):
    method = build_dmtl(cycle="run", initial="theory")
    predictions, targets = batch
    losses = []
    for shift in range(3):
        out = step(method, predictions, {k: v.roll(shift) for k, v in targets.items()})
        losses.append(torch.stack(list(out.task_losses.values())))
        moved = method.weights
        method.on_epoch_end()
        assert method.weights == moved
    assert method.on_run_end()
    inverse = 1 / torch.stack(losses).mean(dim=0)
    assert list(method.weights.values()) == pytest.approx((4 * inverse / inverse.sum()).tolist())
    assert not method.loss_counts.any()


def test_a_method_whose_cycle_is_an_epoch_has_one_run(build_dmtl, batch, step):
    method = build_dmtl(initial="theory")
    step(method, *batch)
    before = method.weights
    assert not method.on_run_end()
    assert method.weights == before


def test_the_weights_after_a_reset_do_not_depend_on_what_equation_11_moved(build_dmtl, batch, step):
    ends = []
    for options in ({}, {"W": "shared"}, {"weight_learning_rate": 1.0}, {"balance": "none"}):
        method = build_dmtl(initial="theory", **options)
        step(method, *batch)
        moved = method.weights
        method.on_epoch_end()
        ends.append((moved, method.weights))
    assert len({tuple(moved.values()) for moved, _ in ends}) == len(ends)
    assert all(after == ends[0][1] for _, after in ends)


def test_a_reset_keeps_the_weight_of_a_task_that_had_no_labels(build_dmtl, batch, step):
    method = build_dmtl(initial="theory")
    predictions, targets = batch
    step(method, predictions, targets)
    method.on_epoch_end()
    before = method.weights
    step(method, predictions, targets | {"kind": torch.full((12,), -1)})
    method.on_epoch_end()
    assert method.weights["kind"] == before["kind"]
    assert sum(method.weights.values()) == pytest.approx(4.0, abs=1e-12)


def test_resets_never_touch_the_initial_losses(build_dmtl, batch, step):
    method = build_dmtl()
    step(method, *batch)
    method.on_epoch_end()
    first = method.initial_losses
    predictions, targets = batch
    for _ in range(2):
        step(method, predictions, {k: v.roll(1) for k, v in targets.items()})
        method.on_epoch_end()
    assert method.initial_losses == first


def test_initial_losses_of_the_first_batch(build_dmtl, batch, step):
    method = build_dmtl(initial="first_batch")
    predictions, targets = batch
    out = step(method, predictions, targets | {"kind": torch.full((12,), -1)})
    losses = {name: loss.item() for name, loss in out.task_losses.items()}
    assert method.initial_losses == losses
    later = step(method, predictions, {k: v.roll(1) for k, v in targets.items()})
    assert method.initial_losses == losses | {"kind": later.task_losses["kind"].item()}


def test_initial_losses_in_theory_are_those_of_a_uniform_guess(build_dmtl, tasks, toy, make_inputs):
    method = build_dmtl(initial="theory", beta=2.0)
    network = toy(tasks)
    with torch.no_grad():
        for layer in network.last:
            layer.weight.zero_()
            layer.bias.zero_()
    targets = {task.name: torch.tensor([0, 1, 1]) for task in tasks}
    losses = method.evaluation_losses(network(make_inputs(3)), targets)
    assert method.initial_losses == pytest.approx(
        {name: loss.item() for name, (loss, _) in losses.items()}, rel=1e-6
    )
    assert method.initial_losses[tasks[0].name] == pytest.approx(0.25 * math.log(2))
