from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from pipeline.mtl import Task
from pipeline.mtl.labelled import labelled_tasks, mean_losses

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
    found = labelled_tasks(TASKS, targets)
    present = [task for task in TASKS if (targets[task.name] >= 0).any()]
    assert found.tasks == tuple(present)
    assert found.counts.tolist() == [int((targets[t.name] >= 0).sum()) for t in present]
    losses = mean_losses(found, logits, 0.0)
    assert len(losses) == len(present)
    for task, loss in zip(present, losses, strict=True):
        torch.testing.assert_close(loss, oracle(task, logits[task.name], targets[task.name]))


def test_an_unlabelled_tasks_logits_stay_out_of_the_graph():
    logits = {t.name: torch.zeros(3, t.outputs, requires_grad=True) for t in TASKS}
    targets = {t.name: torch.tensor([0, -1, 1]) for t in TASKS}
    for silent in ("yes", "three"):
        targets[silent] = torch.full((3,), -1)
    mean_losses(labelled_tasks(TASKS, targets), logits, 2.0).sum().backward()
    assert [name for name in logits if logits[name].grad is None] == ["yes", "three"]
    # The unknown row of a labelled task has exactly no gradient.
    for name in ("two", "no"):
        gradient = logits[name].grad
        assert gradient is not None
        assert not gradient[1].any()
        assert gradient[0].any()


def test_what_stands_in_an_unknown_row_does_not_matter():
    targets = {t.name: torch.tensor([0, -1, 1]) for t in TASKS}
    found = labelled_tasks(TASKS, targets)
    zeros = {t.name: torch.zeros(3, t.outputs) for t in TASKS}
    shifted = {name: values + torch.tensor([[0.0], [1e4], [0.0]]) for name, values in zeros.items()}
    assert torch.equal(mean_losses(found, zeros, 2.0), mean_losses(found, shifted, 2.0))


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


def test_missing_targets_and_logits_name_the_task():
    targets = {t.name: torch.tensor([0]) for t in TASKS}
    with pytest.raises(ValueError, match="'no' has no targets"):
        labelled_tasks(TASKS, {k: v for k, v in targets.items() if k != "no"})
    found = labelled_tasks(TASKS, targets)
    logits = {t.name: torch.zeros(1, t.outputs) for t in TASKS}
    with pytest.raises(ValueError, match="'two' has no logits"):
        mean_losses(found, {k: v for k, v in logits.items() if k != "two"}, 0.0)
    with pytest.raises(ValueError, match=r"'three': logits have shape \(1, 2\), expected \(1, 3\)"):
        mean_losses(found, logits | {"three": torch.zeros(1, 2)}, 0.0)
