"""The closed form against autograd, to 1e-10 in float64."""

from __future__ import annotations

import pytest
import torch

from pipeline.mtl import Predictions, Task
from pipeline.mtl.labelled import labelled_tasks, mean_losses
from pipeline.mtl.task_gradients import last_layer_norms, shared_layer_norms


def autograd_norms(network, predictions, targets, beta, rms=False):
    """||grad of each task's loss by its last Linear's weight||, one backward pass a task."""
    found = labelled_tasks(network.tasks, targets)
    losses = mean_losses(found, predictions.logits, beta)
    norms = []
    for loss, f in zip(losses, found.index.tolist(), strict=True):
        (gradient,) = torch.autograd.grad(loss, network.last[f].weight, retain_graph=True)
        norms.append(gradient.norm() / (gradient.numel() ** 0.5 if rms else 1.0))
    return torch.stack(norms)


@pytest.mark.parametrize("rms", [False, True])
@pytest.mark.parametrize("beta", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("rows", [4, 12, 60])
def test_closed_form_is_autograds_norm(tasks, toy, make_inputs, make_labels, rows, beta, rms):
    network, targets = toy(tasks), make_labels(tasks, rows)
    predictions = network(make_inputs(rows))
    found = labelled_tasks(tasks, targets)
    norms = last_layer_norms(found, predictions, beta, rms)
    expected = autograd_norms(network, predictions, targets, beta, rms)
    torch.testing.assert_close(norms, expected, atol=1e-10, rtol=1e-10)
    assert not norms.requires_grad


@pytest.mark.parametrize("head", ["sigmoid", "softmax"])
def test_closed_form_holds_where_all_heads_are_alike(toy, make_inputs, make_labels, head):
    tasks = tuple(Task(name, ("n", "y"), head=head) for name in "abc")
    network, targets = toy(tasks), make_labels(tasks, 9)
    predictions = network(make_inputs(9))
    norms = last_layer_norms(labelled_tasks(tasks, targets), predictions, 2.0)
    torch.testing.assert_close(norms, autograd_norms(network, predictions, targets, 2.0))


def test_closed_form_holds_for_eight_classes_mostly_unknown(toy, make_inputs):
    tasks = (Task("kind", tuple("abcdefgh")),)
    network, predictions = toy(tasks), None
    predictions = network(make_inputs(20))
    targets = {"kind": torch.tensor([3, *[-1] * 17, 7, 0])}
    norms = last_layer_norms(labelled_tasks(tasks, targets), predictions, 2.0)
    torch.testing.assert_close(norms, autograd_norms(network, predictions, targets, 2.0))


def test_unlabelled_tasks_have_no_norm(tasks, toy, make_inputs, make_labels):
    network = toy(tasks)
    targets = make_labels(tasks, 8) | {"kind": torch.full((8,), -1)}
    predictions = network(make_inputs(8))
    norms = last_layer_norms(labelled_tasks(tasks, targets), predictions, 2.0)
    torch.testing.assert_close(norms, autograd_norms(network, predictions, targets, 2.0))
    assert len(norms) == 3


def test_shared_norm_is_autograds_by_a_detached_joint(tasks, toy, make_inputs, make_labels):
    network, targets = toy(tasks), make_labels(tasks, 8)
    predictions = network(make_inputs(8))
    found = labelled_tasks(tasks, targets)
    norms = shared_layer_norms(mean_losses(found, predictions.logits, 2.0), predictions)
    for task, first, last, norm in zip(tasks, network.first, network.last, norms, strict=True):
        joint = predictions.joint.detach().requires_grad_()
        logits = {task.name: last(torch.tanh(first(joint)))}
        alone = labelled_tasks((task,), targets)
        mean_losses(alone, logits, 2.0).sum().backward()
        torch.testing.assert_close(norm, joint.grad.norm(), atol=1e-10, rtol=1e-10)
    rms = shared_layer_norms(mean_losses(found, predictions.logits, 2.0), predictions, rms=True)
    torch.testing.assert_close(rms, norms / (8 * 6) ** 0.5)


def test_shared_norms_leave_no_gradient_behind(tasks, toy, make_inputs, make_labels):
    network, targets = toy(tasks), make_labels(tasks, 8)
    predictions = network(make_inputs(8))
    found = labelled_tasks(tasks, targets)
    norms = shared_layer_norms(mean_losses(found, predictions.logits, 2.0), predictions)
    assert not norms.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_joint_outside_the_graph_is_told(batch, tasks):
    predictions, targets = batch
    losses = mean_losses(labelled_tasks(tasks, targets), predictions.logits, 2.0)
    detached = Predictions(predictions.logits, predictions.hidden, predictions.joint.detach())
    with pytest.raises(ValueError, match="not in the graph"):
        shared_layer_norms(losses, detached)
    elsewhere = torch.zeros_like(predictions.joint).requires_grad_()
    with pytest.raises(ValueError, match="were not computed from"):
        shared_layer_norms(losses, Predictions(predictions.logits, predictions.hidden, elsewhere))


def test_missing_hidden_vectors_name_the_task(batch, tasks):
    predictions, targets = batch
    bare = Predictions(predictions.logits, {}, predictions.joint)
    with pytest.raises(ValueError, match="'damage' has no hidden vectors"):
        last_layer_norms(labelled_tasks(tasks, targets), bare, 2.0)
