"""N/n_f of eq. 11: how rare the positive samples of each task are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.mtl.task import Task


def inverse_distribution_ratios(
    tasks: tuple[Task, ...],
    positives: Mapping[str, int] | None,
    labelled: Mapping[str, int] | None,
) -> Tensor:
    """Return N/n_f of each task (F,), from counts over the training set.

    `labelled`: N, the rows labelled for the task. `positives`: n_f, those of them whose class is
    not the negative one. A task without these counts (one without a negative class has no n_f) gets
    1, with one warning for all of them. Raises ValueError naming the task whose counts cannot be.
    """
    positives, labelled = positives or {}, labelled or {}
    _check_names(tasks, positives, labelled)
    ratios = [
        _ratio(task.name, positives[task.name], labelled[task.name])
        if task.name in positives
        else 1.0
        for task in tasks
    ]
    if uncounted := [task.name for task in tasks if task.name not in positives]:
        warnings.warn(
            f"N/n_f is taken as 1 for {', '.join(uncounted)}: declare a negative class and give "
            "its counts in positives and labelled",
            stacklevel=4,
        )
    return torch.tensor(ratios)


def _check_names(
    tasks: tuple[Task, ...], positives: Mapping[str, int], labelled: Mapping[str, int]
) -> None:
    if unknown := (positives.keys() | labelled.keys()) - {task.name for task in tasks}:
        raise ValueError(f"positives or labelled name no task: {', '.join(sorted(unknown))}")
    if alone := positives.keys() ^ labelled.keys():
        raise ValueError(
            f"positives and labelled go together; only one of them has {', '.join(sorted(alone))}"
        )


def _ratio(name: str, positives: int, labelled: int) -> float:
    if not positives > 0:
        raise ValueError(
            f"task {name!r} has {positives} positive samples in training; N/n_f (eq. 11) needs at "
            "least one: drop the task or change the split"
        )
    if labelled < positives:
        raise ValueError(f"task {name!r}: {positives} positives of {labelled} labelled rows")
    return labelled / positives
