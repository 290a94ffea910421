"""The labelled part of a batch, and the mean loss of each task over it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pipeline.mtl.losses import sigmoid_focal, softmax_focal
from pipeline.mtl.task import Task


@dataclass(frozen=True)
class LabelledTasks:
    """The k tasks that have at least one labelled row in a batch of B rows.

    index: their places among all tasks. counts: their labelled rows. known: which rows are
    labelled. targets: class indices, 0 where unknown (so that they may be gathered by).
    """

    tasks: tuple[Task, ...]
    index: Int[Tensor, " k"]
    counts: Int[Tensor, " k"]
    known: Bool[Tensor, "b k"]
    targets: Int[Tensor, "b k"]

    def columns(self, head: str) -> list[int]:
        """Return the places, among the k, of the tasks with this head."""
        return [column for column, task in enumerate(self.tasks) if task.head == head]


def labelled_tasks(tasks: tuple[Task, ...], targets: dict[str, Tensor]) -> LabelledTasks:
    """Check a batch's labels and keep the tasks that have any; -1 is unknown.

    Raises ValueError naming the task whose labels are missing or outside its classes.
    """
    for task in tasks:
        if task.name not in targets:
            raise ValueError(f"task {task.name!r} has no targets; give -1 for unknown labels")
    labels = torch.stack([targets[task.name] for task in tasks], dim=1)  # (B, F)
    known = labels >= 0
    counts = known.sum(dim=0)
    counted = _checked_counts(tasks, labels, counts)
    keep = [f for f, count in enumerate(counted) if count]
    if len(keep) == len(tasks):
        return LabelledTasks(
            tasks, torch.arange(len(tasks), device=labels.device), counts, known, labels.clamp(0)
        )
    index = torch.tensor(keep, dtype=torch.int64, device=labels.device)
    return LabelledTasks(
        tuple(tasks[f] for f in keep),
        index,
        counts[index],
        known[:, index],
        labels[:, index].clamp(0),
    )


def _checked_counts(tasks: tuple[Task, ...], labels: Tensor, counts: Tensor) -> list[int]:
    if not len(labels):
        return [0] * len(tasks)
    # One transfer from the device for all three.
    low, high, counted = torch.stack((labels.amin(0), labels.amax(0), counts)).tolist()
    for task, lowest, highest in zip(tasks, low, high, strict=True):
        if lowest < -1 or highest >= len(task.classes):
            wrong = lowest if lowest < -1 else highest
            raise ValueError(
                f"task {task.name!r} has the label {wrong}; "
                f"allowed: 0..{len(task.classes) - 1}, or -1 for unknown"
            )
    return list(counted)


def mean_losses(
    labelled: LabelledTasks, logits: dict[str, Tensor], beta: float
) -> Float[Tensor, " k"]:
    """Return each labelled task's mean focal loss over its labelled rows.

    `logits`: task -> (B, C_f). The sigmoid tasks are computed as one operation. An unlabelled
    task's logits are not touched, so that they get no gradient at all.
    """
    check_logits(labelled, logits)
    columns = [torch.empty(0)] * len(labelled.tasks)
    if sigmoid := labelled.columns("sigmoid"):
        scores = torch.cat([logits[labelled.tasks[k].name] for k in sigmoid], dim=1)
        rows = sigmoid_focal(scores, select(labelled.targets, sigmoid), beta)
        if len(sigmoid) == len(columns):
            return _masked_mean(rows, labelled)
        for k, column in zip(sigmoid, rows.unbind(dim=1), strict=True):
            columns[k] = column
    for k in labelled.columns("softmax"):
        name = labelled.tasks[k].name
        columns[k] = softmax_focal(logits[name], labelled.targets[:, k], beta)
    return _masked_mean(torch.stack(columns, dim=1), labelled) if columns else torch.zeros(0)


def check_logits(labelled: LabelledTasks, logits: dict[str, Tensor]) -> None:
    """Raise ValueError naming the labelled task whose logits are missing or of another shape."""
    for task in labelled.tasks:
        if task.name not in logits:
            raise ValueError(f"task {task.name!r} has no logits; the network lacks its head")
        expected = (len(labelled.known), task.outputs)
        if logits[task.name].shape != expected:
            raise ValueError(
                f"task {task.name!r}: logits have shape {tuple(logits[task.name].shape)}, "
                f"expected {expected}"
            )


def _masked_mean(rows: Tensor, labelled: LabelledTasks) -> Tensor:
    return torch.where(labelled.known, rows, 0).sum(dim=0) / labelled.counts


def select(matrix: Tensor, columns: list[int]) -> Tensor:
    """Return these columns of (B, k); all of them without a copy, the usual case."""
    return matrix if len(columns) == matrix.shape[1] else matrix[:, columns]
