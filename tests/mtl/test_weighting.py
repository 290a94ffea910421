from __future__ import annotations

import pytest
import torch

from pipeline.mtl import build_mtl
from pipeline.mtl.labelled import labelled_tasks, mean_losses


@pytest.mark.parametrize("name", ["pcgrad", "cagrad"])
def test_the_trunk_descends_the_weighted_sum_and_each_head_its_own_loss(
    name, tasks, toy, make_inputs, make_labels, step
):
    targets, network = make_labels(tasks, 12), toy(tasks)
    method = build_mtl(name, tasks).double()
    out = step(method, network(make_inputs(12)), targets)
    out.loss.backward()
    assert out.loss.item() == pytest.approx(sum(out.task_losses.values()).item())
    twin = toy(tasks)
    losses = mean_losses(labelled_tasks(tasks, targets), twin(make_inputs(12)).logits, 0.0)
    weighted = torch.dot(torch.tensor(list(method.weights.values()), dtype=torch.float64), losses)
    trunk, heads = (
        list(twin.trunk.parameters()),
        [*twin.first.parameters(), *twin.last.parameters()],
    )
    expected = torch.autograd.grad(weighted, trunk, retain_graph=True)
    expected += torch.autograd.grad(losses.sum(), heads)
    mine = [*network.trunk.parameters(), *network.first.parameters(), *network.last.parameters()]
    for parameter, gradient in zip(mine, expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    assert method.weights != {task.name: 1.0 for task in tasks}
