from __future__ import annotations

import math

import pytest
import torch
from torchjd.scalarization import UW

from pipeline.mtl import build_mtl


def test_it_is_torchjds_uw_with_an_adam_of_its_own(tasks, toy, make_inputs, make_labels, step):
    """That is the form for regression: the same objective with every s lower by log 2."""
    oracle = UW(len(tasks)).double()
    with torch.no_grad():
        oracle.log_var -= math.log(2)
    adam = torch.optim.Adam(oracle.parameters(), lr=0.1)
    method = build_mtl("uw", tasks, weight_learning_rate=0.1).double()
    network, targets = toy(tasks), make_labels(tasks, 12)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    for _ in range(30):
        weights = 0.5 * torch.exp(-oracle.log_var.detach())
        out = step(method, network(make_inputs(12)), targets)
        assert list(method.weights.values()) == pytest.approx(weights.tolist())
        adam.zero_grad()
        oracle(torch.stack(list(out.task_losses.values()))).backward()
        adam.step()
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
    assert max(method.weights.values()) > 1.1


def test_weights_settle_at_half_the_inverse_losses(tasks, batch, step):
    method = build_mtl("uw", tasks, weight_learning_rate=0.1).double()
    for _ in range(400):
        out = step(method, *batch)
    expected = [0.5 / loss.item() for loss in out.task_losses.values()]
    assert list(method.weights.values()) == pytest.approx(expected, rel=1e-3)
