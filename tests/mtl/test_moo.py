from __future__ import annotations

import copy

import pytest
import torch

from pipeline.mtl import Task, build_mtl
from pipeline.mtl.labelled import labelled_tasks, mean_losses
from pipeline.mtl.method import Predictions

# Pinned: computed once by this code, in float64.
LOSS = 1.0541685662833846
WEIGHTS = [0.15827383930239494, 0.49572631776466736, 0.2367647302728323, 0.10923511266010545]


def two_forwards(tasks, toy, x, targets):
    """Oracle, as the authors do it: gradients by a detached joint, task by task."""
    network = toy(tasks)
    gradients = []
    joint = network(x).shared.detach()
    for f, task in enumerate(tasks):
        leaf = joint.clone().requires_grad_()
        logits = {task.name: network.last[f](torch.tanh(network.first[f](leaf)))}
        mean_losses(labelled_tasks((task,), targets), logits, 0.0).sum().backward()
        gradients.append(leaf.grad.flatten())
    return torch.stack(gradients)


def test_values(tasks, batch):
    method = build_mtl("moo", tasks).double()
    out = method.objective(*batch)
    method.on_step()
    assert out.loss.item() == pytest.approx(LOSS, abs=1e-10)
    assert list(method.weights.values()) == pytest.approx(WEIGHTS, abs=1e-9)


def test_an_unlabelled_task_leaves_the_hull(tasks, toy, make_inputs, make_labels):
    targets = make_labels(tasks, 12) | {"kind": torch.full((12,), -1)}
    some = [task for task in tasks if task.name != "kind"]
    method = build_mtl("moo", tasks).double()
    method.objective(toy(tasks)(make_inputs(12)), targets)
    method.on_step()
    network = toy(tasks)
    full = network(make_inputs(12))
    alone = build_mtl("moo", some).double()
    alone.objective(full, targets)
    alone.on_step()
    assert {k: w for k, w in method.weights.items() if k != "kind"} == alone.weights
    assert sum(alone.weights.values()) == pytest.approx(1.0)


def test_a_zero_gradient_gives_equal_weights(tasks, toy, make_inputs, make_labels):
    network = toy(tasks)
    with torch.no_grad():
        network.first[1].weight.zero_()  # "kind" no longer sees the joint
    method = build_mtl("moo", tasks).double()
    out = method.objective(network(make_inputs(12)), make_labels(tasks, 12))
    method.on_step()
    assert list(method.weights.values()) == [0.25] * 4
    torch.testing.assert_close(out.loss.detach(), sum(out.task_losses.values()) / 4)


def test_opposite_tasks_stop_the_trunk(toy, make_inputs):
    """Twin heads with opposite labels: the joint's gradients cancel, the heads' do not."""
    tasks = tuple(Task(name, ("n", "y"), head="sigmoid") for name in "ab")
    network = toy(tasks)
    for layers in (network.first, network.last):
        layers[1].load_state_dict(layers[0].state_dict())
    with torch.no_grad():
        for layer in network.last:  # p = 1/2 everywhere: the gradients are exactly opposite
            layer.weight.mul_(1e-9)
            layer.bias.zero_()
    y = torch.tensor([0, 1, 1, 0, 1])
    method = build_mtl("moo", tasks).double()
    out = method.objective(network(make_inputs(5)), {"a": y, "b": 1 - y})
    out.loss.backward()
    method.on_step()
    assert list(method.weights.values()) == pytest.approx([0.5, 0.5], abs=1e-6)
    assert network.trunk.weight.grad.abs().max() < 1e-15
    assert network.last[0].weight.grad.abs().max() > 1e-3


@pytest.mark.parametrize("normaliser", ["none", "l2", "loss", "loss+"])
def test_weights_are_optimal_for_the_joints_normalised_gradients(
    tasks, toy, make_inputs, make_labels, normaliser
):
    targets = make_labels(tasks, 12)
    G = two_forwards(tasks, toy, make_inputs(12), targets)
    method = build_mtl("moo", tasks, normaliser=normaliser).double()
    out = method.objective(toy(tasks)(make_inputs(12)), targets)
    method.on_step()
    losses = torch.stack(list(out.task_losses.values()))
    norms = G.norm(dim=1)
    one = torch.ones_like(norms)
    divisors = {"none": one, "l2": norms, "loss": losses, "loss+": norms * losses}
    G = G / divisors[normaliser][:, None]
    weights = torch.tensor(list(method.weights.values()), dtype=torch.float64)
    slopes = G @ G.T @ weights
    assert (slopes >= weights @ slopes - 1e-8 * (G @ G.T).max()).all()
    torch.testing.assert_close(out.loss.detach(), (weights * losses).sum())


def test_l2_normaliser_ignores_the_scale_of_a_tasks_head(tasks, toy, make_inputs, make_labels):
    """A joint twice as large for one head doubles that task's gradient, and nothing else."""
    targets, weights = make_labels(tasks, 12), []
    for factor in (1.0, 2.0):
        network = toy(tasks)
        joint = network(make_inputs(12)).shared
        hidden = {}
        for task, first in zip(tasks, network.first, strict=True):
            centre = joint.detach()
            slope = factor if task.name == "kind" else 1.0
            hidden[task.name] = torch.tanh(first(centre + slope * (joint - centre)))
        logits = {t.name: last(hidden[t.name]) for t, last in zip(tasks, network.last, strict=True)}
        method = build_mtl("moo", tasks, normaliser="l2").double()
        method.objective(Predictions(logits, hidden, joint), targets)
        method.on_step()
        weights.append(list(method.weights.values()))
    assert weights[0] == pytest.approx(weights[1], abs=1e-9)


def test_one_forward_serves_both(tasks, toy, make_inputs, make_labels):
    """The trunk is differentiated once, with the weights as constants."""
    targets = make_labels(tasks, 12)
    network = toy(tasks)
    twin = copy.deepcopy(network)
    method = build_mtl("moo", tasks).double()
    method.objective(network(make_inputs(12)), targets).loss.backward()
    method.on_step()
    graph = mean_losses(labelled_tasks(tasks, targets), twin(make_inputs(12)).logits, 0.0)
    sum(w * loss for w, loss in zip(method.weights.values(), graph, strict=True)).backward()
    for mine, oracle in zip(network.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, oracle.grad, atol=1e-14, rtol=1e-10)
