"""A batch's labelled rows: each task's mean loss over them, and the gradients of these losses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pipeline.mtl.losses import focal_gradient, focal_loss
from pipeline.mtl.task import Task


@dataclass(frozen=True)
class LabelledTasks:
    """The k tasks that have at least one labelled row in a batch of B rows."""

    tasks: tuple[Task, ...]
    index: Int[Tensor, " k"]  # their places among all tasks
    counts: Int[Tensor, " k"]  # their labelled rows
    known: Bool[Tensor, "b k"]  # which rows are labelled
    targets: Int[Tensor, "b k"]  # class indices, 0 where unknown


def labelled_tasks(tasks: tuple[Task, ...], targets: dict[str, Tensor]) -> LabelledTasks:
    """Check a batch's labels (-1 is unknown) and select the tasks that have any.

    Raises ValueError naming the task whose labels are missing or outside its classes.
    """
    for task in tasks:
        if task.name not in targets:
            raise ValueError(f"task {task.name!r} has no targets; give -1 for unknown labels")
    labels = torch.stack([targets[task.name] for task in tasks], dim=1)  # (B, F)
    if len(labels):
        _check_labels(tasks, labels)
    known = labels >= 0
    counts = known.sum(dim=0)
    columns = [f for f, count in enumerate(counts.tolist()) if count]
    index = torch.tensor(columns, dtype=torch.int64, device=labels.device)
    return LabelledTasks(
        tuple(tasks[f] for f in columns),
        index,
        counts[index],
        known[:, index],
        labels[:, index].clamp(0),
    )


def _check_labels(tasks: tuple[Task, ...], labels: Int[Tensor, "b f"]) -> None:
    bounds = torch.stack((labels.amin(dim=0), labels.amax(dim=0)), dim=1)
    for task, (lowest, highest) in zip(tasks, bounds.tolist(), strict=True):
        if lowest < -1 or highest >= len(task.classes):
            wrong = lowest if lowest < -1 else highest
            raise ValueError(
                f"task {task.name!r} has the label {wrong}; "
                f"allowed: 0..{len(task.classes) - 1}, or -1 for unknown"
            )


def mean_losses(
    batch: LabelledTasks, logits: dict[str, Tensor], beta: float
) -> Float[Tensor, " k"]:
    """Return each labelled task's mean focal loss over its labelled rows.

    `logits`: task -> (B, C_f). An unlabelled task's logits are not read, so that they get no
    gradient at all. Raises ValueError naming the task whose logits have another shape.
    """
    if not batch.tasks:
        return torch.zeros(0)
    columns = []
    for k, task in enumerate(batch.tasks):
        z, expected = logits[task.name], (len(batch.known), task.outputs)
        if z.shape != expected:
            raise ValueError(
                f"task {task.name!r}: logits have shape {tuple(z.shape)}, expected {expected}"
            )
        columns.append(focal_loss(z, batch.targets[:, k], beta))
    rows = torch.stack(columns, dim=1)  # (B, k)
    return torch.where(batch.known, rows, 0).sum(dim=0) / batch.counts


def last_layer_gradients(
    batch: LabelledTasks, logits: dict[str, Tensor], hidden: dict[str, Tensor], beta: float
) -> list[Float[Tensor, "_ _"]]:
    """Return dL_f / dW for the weight W (C_f, h) of each labelled task's own last Linear.

    Its logits are W h + b, hence dL_f / dW = Delta^T H with Delta (B, C_f) the loss by the logits
    and H (B, h) the layer's input: one small product per task, and no backward pass.
    """
    deltas = _logit_gradients(batch, logits, beta)
    inputs = (hidden[task.name].detach() for task in batch.tasks)
    return [delta.T @ x.to(delta) for delta, x in zip(deltas, inputs, strict=True)]


def shared_gradients(
    batch: LabelledTasks, logits: dict[str, Tensor], shared: Float[Tensor, "b d"], beta: float
) -> list[Float[Tensor, "b d"]]:
    """Return dL_f / dJ, by the shared representation J, for each labelled task.

    One small backward pass per task, from its logits through its own head and never into the
    trunk; from its loss, which `mean_losses` computes with the others', it would go through every
    head. The graph stays for the backward pass to come.
    """
    outputs = [logits[task.name] for task in batch.tasks]
    deltas = _logit_gradients(batch, logits, beta)
    return [
        torch.autograd.grad(z, shared, delta.to(z), retain_graph=True)[0]
        for z, delta in zip(outputs, deltas, strict=True)
    ]


@torch.no_grad()
def _logit_gradients(
    batch: LabelledTasks, logits: dict[str, Tensor], beta: float
) -> list[Float[Tensor, "_ _"]]:
    """Return dL_f / dlogits (B, C_f) of each labelled task."""
    gradients = []
    for k, task in enumerate(batch.tasks):
        slopes = focal_gradient(logits[task.name], batch.targets[:, k], beta)
        gradients.append(torch.where(batch.known[:, k, None], slopes, 0) / batch.counts[k])
    return gradients
