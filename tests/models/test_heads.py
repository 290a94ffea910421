from __future__ import annotations

import torch

from pipeline.models.heads import TaskHeads

OUTPUTS = {"informative": 2, "damage": 3, "flood": 1}


def test_logits_are_the_last_linear_of_hidden() -> None:
    heads = TaskHeads(6, OUTPUTS, hidden=4).train()
    logits, hidden, auxiliary = heads(torch.randn(5, 6), [torch.randn(5, 2)])
    assert auxiliary == []
    assert list(logits) == list(hidden) == list(OUTPUTS)
    for task, last in zip(OUTPUTS, heads.last, strict=True):
        assert logits[task].shape == (5, OUTPUTS[task])
        # Under dropout too: hidden is what that layer read.
        assert torch.equal(logits[task], last(hidden[task]))


def test_dropout_acts_in_training_only() -> None:
    heads = TaskHeads(6, OUTPUTS, hidden=64, dropout=0.5)
    joint = torch.randn(5, 6)
    assert (heads(joint)[1]["flood"] == 0).any()
    heads.eval()
    assert torch.equal(heads(joint)[0]["flood"], heads(joint)[0]["flood"])
    assert not (heads(joint)[1]["flood"] == 0).any()


def test_tasks_share_nothing_but_the_joint_vector() -> None:
    heads = TaskHeads(6, OUTPUTS, hidden=4).eval()
    joint = torch.randn(5, 6, requires_grad=True)
    heads(joint)[0]["damage"].sum().backward()
    used = [last.weight.grad is not None for last in heads.last]
    assert used == [False, True, False]
    assert [first[0].weight.grad is not None for first in heads.first] == used
    assert joint.grad is not None


def test_task_names_may_be_any_text() -> None:
    outputs = {"train": 1, "v1.0 (severe)": 2}
    heads = TaskHeads(3, outputs)
    assert list(heads(torch.randn(2, 3))[0]) == list(outputs)


def test_parameter_count() -> None:
    heads = TaskHeads(6, OUTPUTS, hidden=4)
    expected = 3 * (6 * 4 + 4) + 4 * (2 + 3 + 1) + (2 + 3 + 1)
    assert sum(p.numel() for p in heads.parameters()) == expected
