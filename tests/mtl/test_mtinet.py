from __future__ import annotations

import pytest
import torch

from pipeline.mtl import build_mtl
from pipeline.mtl.labelled import labelled_tasks, mean_losses
from pipeline.mtl.method import Predictions

# Pinned: computed once by this code, in float64.
LOSS = 4.054643276607629


@pytest.fixture
def deep(batch):
    """The toy batch with two levels of auxiliary logits."""
    predictions, targets = batch
    auxiliary = [{k: c * z for k, z in predictions.logits.items()} for c in (0.5, -2.0)]
    deep = Predictions(predictions.logits, predictions.hidden, predictions.shared, auxiliary)
    return deep, targets


def test_values(tasks, deep):
    out = build_mtl("mtinet", tasks).objective(*deep)
    assert out.loss.item() == pytest.approx(LOSS, abs=1e-12)


def test_loss_is_the_mean_of_final_and_deep_supervision(tasks, deep):
    predictions, targets = deep
    labelled = labelled_tasks(tasks, targets)
    levels = [predictions.logits, *predictions.auxiliary]
    losses = torch.stack([mean_losses(labelled, logits, 0.0) for logits in levels])
    assert losses.numel() == len(tasks) * (len(predictions.auxiliary) + 1)
    out = build_mtl("mtinet", tasks).objective(*deep)
    torch.testing.assert_close(out.loss, losses.sum() / 3)
    assert [x.item() for x in out.task_losses.values()] == losses[0].tolist()


def test_unknown_labels_mask_every_level(tasks, toy, make_inputs, make_labels):
    targets = make_labels(tasks, 8) | {"kind": torch.full((8,), -1)}
    auxiliary = {
        t.name: torch.zeros(8, t.outputs, dtype=torch.float64, requires_grad=True) for t in tasks
    }
    out = toy(tasks)(make_inputs(8))
    predictions = Predictions(out.logits, out.hidden, out.shared, [auxiliary])
    build_mtl("mtinet", tasks).objective(predictions, targets).loss.backward()
    assert auxiliary["kind"].grad is None
    for name in ("damage", "victim", "useful"):
        unknown = targets[name] < 0
        assert not auxiliary[name].grad[unknown].any()
        assert auxiliary[name].grad[~unknown].any()


def test_heads_without_deep_supervision_are_an_error(tasks, batch):
    with pytest.raises(ValueError, match="MTINetHeads"):
        build_mtl("mtinet", tasks).objective(*batch)
