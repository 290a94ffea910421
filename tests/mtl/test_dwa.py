from __future__ import annotations

import pytest
import torch
from torchjd.scalarization import DWA

from pipeline.mtl import build_mtl
from pipeline.mtl.method import Predictions


def test_weights_and_loss_are_torchjds(tasks, toy, make_inputs, make_labels, step):
    method = build_mtl("dwa", tasks, temperature=0.05).double()
    oracle = DWA(temperature=0.05)
    network = toy(tasks)
    targets = {k: v.clamp(min=0) for k, v in make_labels(tasks, 12).items()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    for _ in range(5):
        for rows in (slice(0, 6), slice(6, 12)):
            labels = {k: v[rows] for k, v in targets.items()}
            out = step(method, network(make_inputs(12)[rows]), labels)
            expected = oracle(torch.stack(list(out.task_losses.values())))
            torch.testing.assert_close(out.loss.detach(), expected)
            optimizer.zero_grad()
            out.loss.backward()
            optimizer.step()
        method.on_epoch_end()
        oracle.step()
    assert max(method.weights.values()) > 1.1
    assert sum(method.weights.values()) == pytest.approx(4.0)


def test_an_epoch_without_a_label_leaves_a_tasks_weight_and_its_last_loss(
    tasks, batch, make_labels, step
):
    """The loss of "kind" halves in epoch 3, and nothing of it is known in epoch 4."""
    method = build_mtl("dwa", tasks).double()
    predictions, targets = batch
    logits = {**predictions.logits, "kind": 2 * predictions.logits["kind"]}
    changed = Predictions(logits, predictions.hidden, predictions.shared)
    unknown = targets | {"kind": torch.full((12,), -1)}
    losses, weights = [], []
    for given in ((predictions, targets), (changed, targets), (changed, unknown), batch):
        out = step(method, *given)
        losses.append(out.task_losses.get("kind"))
        method.on_epoch_end()
        weights.append(method.weights["kind"])
        assert sum(method.weights.values()) == pytest.approx(4.0)
    assert weights[0] == 1.0
    assert weights[1] != 1.0
    assert weights[2] == weights[1]
    rates = torch.ones(4, dtype=torch.float64)
    rates[1] = losses[3] / losses[1]
    assert weights[3] == pytest.approx(4 * torch.softmax(rates / 2, 0)[1].item())
