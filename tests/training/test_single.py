"""A network a task: the same training as one alone, and no task reaches another's network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.mtl import Task
from pipeline.training.examples import Examples

Make = Callable[..., Examples]
Run = Callable[..., Any]


def test_with_one_task_single_is_lsew_step_for_step(
    make_examples: Make, run: Run, tasks: tuple[Task, ...]
) -> None:
    settings = {"tasks": tasks[1:2], "fusion": "hgfn", "dropout": 0.5}
    (single, fitted, log), (lsew, expected, expected_log) = (
        run(make_examples(), mtl=mtl, **settings) for mtl in ("single", "lsew")
    )
    assert (fitted, log) == (expected, expected_log)
    state = single.networks[0].state_dict()
    assert all(torch.equal(value, state[name]) for name, value in lsew.state_dict().items())


@pytest.mark.parametrize("change", ["other classes", "unknown"])
def test_a_tasks_network_does_not_change_when_another_tasks_labels_change(
    make_examples: Make, run: Run, tasks: tuple[Task, ...], change: str
) -> None:
    data = make_examples()
    kind, train = data.targets["kind"], data.rows("train")
    data.targets["victim"][train[3:]] = -1  # few, so that batches without any label occur
    changed = kind.copy()
    changed[train[4:]] = -1 if change == "unknown" else (2 - kind).clip(0, 2)[train[4:]]
    other = replace(data, targets={**data.targets, "kind": changed})
    assert not np.array_equal(kind, changed)
    (of_kind, of_victim), (other_of_kind, again) = (
        _networks(run, side, tasks[1:]) for side in (data, other)
    )
    assert all(torch.equal(*values) for values in zip(of_victim, again, strict=True))
    assert not all(torch.equal(*values) for values in zip(of_kind, other_of_kind, strict=True))


def _networks(run: Run, data: Examples, tasks: tuple[Task, ...]) -> list[list[torch.Tensor]]:
    """Return the parameters of each task's network after four epochs."""
    rising = iter(range(4))  # the last epoch is the best, whatever the labels
    settings = {"score": lambda _: {"mean_map": float(next(rising))}, "monitor": "map"}
    model, _, _ = run(data, tasks, mtl="single", batch_size=2, **settings)
    return [list(network.parameters()) for network in model.networks]
