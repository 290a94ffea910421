from __future__ import annotations

import pytest
import torch
from torchjd.scalarization import FAMO

from pipeline.mtl import build_mtl
from pipeline.mtl.labelled import labelled_tasks, mean_losses


def test_loss_gradients_and_logits_are_torchjds(tasks, toy, make_inputs, make_labels):
    """Two equal networks, one trained by our method and one by torchjd's."""
    x, targets = make_inputs(12), make_labels(tasks, 12)
    method = build_mtl("famo", tasks, weight_learning_rate=0.1).double()
    oracle = FAMO(len(tasks), lr=0.1).double()
    ours, theirs = toy(tasks), toy(tasks)

    def losses(network):
        return mean_losses(labelled_tasks(tasks, targets), network(x).logits, 0.0)

    for _ in range(10):
        out = method.objective(ours(x), targets)
        oracle_loss = oracle(losses(theirs))
        for network, loss in ((ours, out.loss), (theirs, oracle_loss)):
            network.zero_grad()
            loss.backward()
        for mine, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, expected.grad)
            with torch.no_grad():
                mine -= 0.3 * mine.grad
                expected -= 0.3 * expected.grad
        method.on_step(lambda: ours(x))
        oracle.update(losses(theirs))
        torch.testing.assert_close(method.logits, oracle._w.detach())
    assert method.logits.abs().max() > 0.5


def test_the_losses_after_the_step_are_needed(tasks, batch):
    method = build_mtl("famo", tasks).double()
    method.objective(*batch)
    with pytest.raises(ValueError, match=r"famo needs the losses after the step"):
        method.on_step()
