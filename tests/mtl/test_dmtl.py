"""DMTL end to end on the toy network: what a step does, and in which order."""

from __future__ import annotations

import copy

import pytest
import torch

from pipeline.mtl.labelled import labelled_tasks, mean_losses

LOSSES = [0.25752166134867627, 0.866935032231396, 0.34791552538303944, 0.18357047942529037]
SECOND = 1.1977466760269682
WEIGHTS = [1.1280015721317407, 0.3673878912118506, 0.8933242121139152, 1.6112863245424933]


def test_values(build_dmtl, batch, step):
    """Pinned: two epochs of one batch without touching the network, then a third step."""
    method = build_dmtl()
    first = step(method, *batch)
    method.on_epoch_end()
    second = step(method, *batch)
    losses = [loss.item() for loss in first.task_losses.values()]
    assert losses == pytest.approx(LOSSES, abs=1e-12)
    assert first.loss.item() == pytest.approx(sum(LOSSES), abs=1e-12)
    assert second.loss.item() == pytest.approx(SECOND, abs=1e-12)
    assert list(method.weights.values()) == pytest.approx(WEIGHTS, abs=1e-12)


def test_the_network_steps_with_the_weights_before_the_update(build_dmtl, batch, step):
    method = build_dmtl(initial="first_batch")
    step(method, *batch)
    before = torch.tensor(list(method.weights.values()), dtype=torch.float64)
    out = method.objective(*batch)
    losses = torch.stack(list(out.task_losses.values()))
    torch.testing.assert_close(out.loss.detach(), (before * losses).sum())
    assert list(method.weights.values()) == before.tolist()
    method.on_step()
    assert list(method.weights.values()) != before.tolist()


@pytest.mark.parametrize("W", ["own", "shared"])
def test_no_balancing_gradient_reaches_the_network(
    build_dmtl, toy, tasks, make_inputs, make_labels, W, step
):
    method = build_dmtl(initial="theory", W=W)
    network, targets = toy(tasks), make_labels(tasks, 8)
    step(method, network(make_inputs(8)), targets)
    weights = list(method.weights.values())
    # The oracle: plain losses with those weights as constants.
    twin = copy.deepcopy(network)
    assert len(set(weights)) == 4
    losses = mean_losses(labelled_tasks(tasks, targets), twin(make_inputs(8)).logits, 2.0)
    sum(w * loss for w, loss in zip(weights, losses, strict=True)).backward()
    out = method.objective(network(make_inputs(8)), targets)
    out.loss.backward()
    before = [p.grad.clone() for p in network.parameters()]
    method.on_step()
    for after, first, oracle in zip(network.parameters(), before, twin.parameters(), strict=True):
        assert torch.equal(after.grad, first)
        torch.testing.assert_close(first, oracle.grad, atol=1e-14, rtol=1e-12)


@pytest.mark.parametrize("W", ["own", "shared"])
@pytest.mark.parametrize("norm", ["l2", "rms"])
def test_weights_are_positive_and_sum_to_the_number_of_tasks(
    build_dmtl, toy, tasks, make_inputs, make_labels, W, norm, step
):
    method = build_dmtl(W=W, norm=norm, weight_learning_rate=5.0)
    network = toy(tasks)
    distinct = set()
    for k in range(12):
        targets = {name: y.roll(k) for name, y in make_labels(tasks, 8).items()}
        step(method, network(make_inputs(8).roll(k, 0)), targets)
        weights = method.weights.values()
        assert sum(weights) == pytest.approx(4.0, abs=1e-12)
        assert all(w > 0 for w in weights)
        distinct.add(tuple(weights))
        if k % 4 == 3:
            method.on_epoch_end()
    assert len(distinct) > 2, "weights that do not move prove nothing"


def test_one_labelled_task_cannot_move_its_weight(build_dmtl, batch, step):
    method = build_dmtl(initial="theory")
    predictions, targets = batch
    step(method, predictions, targets)
    before = method.weights
    alone = {k: (v if k == "kind" else torch.full((12,), -1)) for k, v in targets.items()}
    step(method, predictions, alone)
    assert method.weights == before
