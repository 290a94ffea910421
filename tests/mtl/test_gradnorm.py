from __future__ import annotations

import pytest
import torch

from pipeline.mtl import build_mtl
from pipeline.mtl.labelled import labelled_tasks, mean_losses


def test_weights_move_as_by_double_backward(tasks, toy, make_inputs, make_labels, step):
    """Oracle: algorithm 1 of Chen et al. by autograd, on the shared representation."""
    alpha, rate = 1.5, 0.1
    method = build_mtl("gradnorm", tasks, alpha=alpha, weight_learning_rate=rate).double()
    network, targets = toy(tasks), make_labels(tasks, 12)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.3)
    weights = torch.ones(4, dtype=torch.float64)
    start = None
    for k in range(12):
        predictions = network(make_inputs(12))
        losses = mean_losses(labelled_tasks(tasks, targets), predictions.logits, 0.0)
        if start is not None:
            w = weights.clone().requires_grad_()
            norms = torch.stack(
                [
                    torch.autograd.grad(part, predictions.shared, create_graph=True)[0].norm()
                    for part in w * losses
                ]
            )
            rates = losses.detach() / start
            target = (norms.mean() * (rates / rates.mean()) ** alpha).detach()
            gradient = torch.autograd.grad((norms - target).abs().sum(), w, retain_graph=True)[0]
            moved = weights - rate * gradient
        out = step(method, predictions, targets)
        torch.testing.assert_close(out.loss.detach(), (weights * losses).sum().detach())
        if start is not None:
            weights = 4 * moved / moved.sum()
        assert list(method.weights.values()) == pytest.approx(weights.tolist())
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
        if k == 0:  # the first epoch
            start = losses.detach()
        method.on_epoch_end()
    assert max(method.weights.values()) > 1.1


def test_a_first_epoch_has_weights_of_one(tasks, batch, step):
    method = build_mtl("gradnorm", tasks).double()
    for _ in range(3):
        step(method, *batch)
    assert set(method.weights.values()) == {1.0}
