"""Mean losses over labelled rows against torch's, and their gradients against autograd."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from pipeline.mtl import Task
from pipeline.mtl.labelled import (
    labelled_tasks,
    last_layer_gradients,
    mean_losses,
    shared_gradients,
)

TASKS = (
    Task("two", ("a", "b")),
    Task("yes", ("n", "y"), head="sigmoid"),
    Task("three", ("a", "b", "c")),
    Task("no", ("n", "y"), head="sigmoid"),
)


def oracle(task: Task, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    known = targets >= 0
    if task.head == "sigmoid":
        return binary_cross_entropy_with_logits(logits[known, 0], targets[known].to(logits))
    return cross_entropy(logits[known], targets[known])


@settings(deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(-1, len(t.classes) - 1) for t in TASKS]), max_size=8),
    st.integers(0, 1000),
)
def test_each_loss_is_torchs_mean_over_the_labelled_rows(rows, seed):
    table = torch.tensor(rows, dtype=torch.int64).reshape(-1, len(TASKS))
    targets = {task.name: table[:, f] for f, task in enumerate(TASKS)}
    generator = torch.Generator().manual_seed(seed)
    logits = {
        t.name: torch.randn(len(rows), t.outputs, generator=generator, dtype=torch.float64)
        for t in TASKS
    }
    labelled = labelled_tasks(TASKS, targets)
    present = [task for task in TASKS if (targets[task.name] >= 0).any()]
    assert labelled.tasks == tuple(present)
    assert labelled.counts.tolist() == [int((targets[t.name] >= 0).sum()) for t in present]
    losses = mean_losses(labelled, logits, 0.0)
    assert len(losses) == len(present)
    for task, loss in zip(present, losses, strict=True):
        torch.testing.assert_close(loss, oracle(task, logits[task.name], targets[task.name]))


def test_an_unlabelled_tasks_logits_stay_out_of_the_graph():
    logits = {t.name: torch.zeros(3, t.outputs, requires_grad=True) for t in TASKS}
    targets = {t.name: torch.tensor([0, -1, 1]) for t in TASKS}
    for unlabelled in ("yes", "three"):
        targets[unlabelled] = torch.full((3,), -1)
    mean_losses(labelled_tasks(TASKS, targets), logits, 2.0).sum().backward()
    assert [name for name in logits if logits[name].grad is None] == ["yes", "three"]
    # The unknown row of a labelled task has exactly no gradient.
    for name in ("two", "no"):
        gradient = logits[name].grad
        assert gradient is not None
        assert not gradient[1].any()
        assert gradient[0].any()


@pytest.mark.parametrize(
    ("name", "label", "message"),
    [("yes", 2, "'yes' has the label 2"), ("three", 3, r"'three'.*0\.\.2"), ("two", -2, "-2")],
)
def test_a_label_outside_the_classes_names_the_task(name, label, message):
    targets = {t.name: torch.tensor([0, -1, 1]) for t in TASKS} | {
        name: torch.tensor([0, label, 0])
    }
    with pytest.raises(ValueError, match=message):
        labelled_tasks(TASKS, targets)


def test_missing_targets_and_logits_of_another_shape_name_the_task():
    targets = {t.name: torch.tensor([0]) for t in TASKS}
    with pytest.raises(ValueError, match="'no' has no targets"):
        labelled_tasks(TASKS, {k: v for k, v in targets.items() if k != "no"})
    labelled = labelled_tasks(TASKS, targets)
    logits = {t.name: torch.zeros(1, t.outputs) for t in TASKS}
    with pytest.raises(ValueError, match=r"'three': logits have shape \(1, 2\), expected \(1, 3\)"):
        mean_losses(labelled, logits | {"three": torch.zeros(1, 2)}, 0.0)


def assert_gradients_are_autograds(network, predictions, targets, beta):
    """Compare dL_f / dW of each task's last Linear with one backward pass a task."""
    labelled = labelled_tasks(network.tasks, targets)
    closed = last_layer_gradients(labelled, predictions.logits, predictions.hidden, beta)
    losses = mean_losses(labelled, predictions.logits, beta)
    for gradient, loss, f in zip(closed, losses, labelled.index.tolist(), strict=True):
        (expected,) = torch.autograd.grad(loss, network.last[f].weight, retain_graph=True)
        torch.testing.assert_close(gradient, expected, atol=1e-10, rtol=1e-10)
        assert not gradient.requires_grad


@pytest.mark.parametrize("beta", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("rows", [4, 12, 60])
def test_the_closed_form_is_autograds_gradient(tasks, toy, make_inputs, make_labels, rows, beta):
    network, targets = toy(tasks), make_labels(tasks, rows)
    assert_gradients_are_autograds(network, network(make_inputs(rows)), targets, beta)
    targets["kind"][:] = -1  # three tasks remain
    assert_gradients_are_autograds(network, network(make_inputs(rows)), targets, beta)


def test_the_closed_form_holds_for_eight_classes_mostly_unknown(toy, make_inputs):
    network = toy((Task("kind", tuple("abcdefgh")),))
    targets = {"kind": torch.tensor([3, *[-1] * 17, 7, 0])}
    assert_gradients_are_autograds(network, network(make_inputs(20)), targets, 2.0)


def test_shared_gradients_are_autograds_by_a_detached_joint(tasks, toy, make_inputs, make_labels):
    network, targets = toy(tasks), make_labels(tasks, 8)
    predictions = network(make_inputs(8))
    labelled = labelled_tasks(tasks, targets)
    gradients = shared_gradients(labelled, predictions.logits, predictions.shared, 2.0)
    for task, first, last, gradient in zip(
        tasks, network.first, network.last, gradients, strict=True
    ):
        joint = predictions.shared.detach().requires_grad_()
        logits = {task.name: last(torch.tanh(first(joint)))}
        mean_losses(labelled_tasks((task,), targets), logits, 2.0).sum().backward()
        torch.testing.assert_close(gradient, joint.grad, atol=1e-10, rtol=1e-10)
        assert not gradient.requires_grad
    assert network.trunk.weight.grad is None


def test_each_shared_gradient_passes_through_its_own_head_alone(
    tasks, toy, make_inputs, make_labels
):
    predictions = toy(tasks)(make_inputs(8))
    passes = []
    for name, hidden in predictions.hidden.items():
        hidden.register_hook(lambda _, name=name: passes.append(name))
    labelled = labelled_tasks(tasks, make_labels(tasks, 8))
    shared_gradients(labelled, predictions.logits, predictions.shared, 2.0)
    assert passes == [task.name for task in tasks]
