"""Task-level dynamic balancing: the terms and the gradient of eq. 11, and the weights' reset."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from pipeline.mtl.task import Task

Tasks = Float[Tensor, " k"]

# No task's weight falls below this before the weights are scaled to their sum.
MINIMUM_WEIGHT = 1e-3


def inverse_distribution_ratios(
    tasks: tuple[Task, ...],
    positives: Mapping[str, int] | None,
    labelled: Mapping[str, int] | None,
) -> Float[Tensor, " f"]:
    """Return N/n_f of each task, from counts over the training set.

    `labelled`: N, the rows labelled for the task. `positives`: n_f, those of them whose class is
    not the negative one. A task that lacks a count (one without a negative class has no n_f) gets
    1, and one warning names all such tasks. Raises ValueError naming a task with impossible counts.
    """
    positives, labelled = positives or {}, labelled or {}
    ratios = {
        task.name: _ratio(task.name, positives[task.name], labelled[task.name])
        for task in tasks
        if task.name in positives and task.name in labelled
    }
    if uncounted := [task.name for task in tasks if task.name not in ratios]:
        warnings.warn(
            f"N/n_f is taken as 1 for {', '.join(uncounted)}: declare a negative class and give "
            "its counts in positives and labelled",
            stacklevel=4,
        )
    return torch.tensor([ratios.get(task.name, 1.0) for task in tasks])


def _ratio(name: str, positives: int, labelled: int) -> float:
    if not positives > 0:
        raise ValueError(
            f"task {name!r} has {positives} positive samples in training; N/n_f (eq. 11) needs at "
            "least one: drop the task or change the split"
        )
    if labelled < positives:
        raise ValueError(f"task {name!r}: {positives} positives of {labelled} labelled rows")
    return labelled / positives


def inverse_training_rates(losses: Tasks, start_losses: Tasks, relative: bool = True) -> Tasks:
    """Return r_f, the ratio of each task's loss to its first one, L_f / L_f(0).

    `relative` divides by the mean over the tasks (GradNorm), so that 1 is "as fast as the others".
    Unnormalised, every target falls below the mean gradient once all losses have fallen, and eq. 11
    then only takes weight from whichever task has the largest N/n_f g_f.
    """
    tiny = torch.finfo(losses.dtype).tiny
    rates = losses / start_losses.clamp(min=tiny)
    return rates / rates.mean().clamp(min=tiny) if relative else rates


def balancing_gradient(
    weights: Tasks, norms: Tasks, rates: Tasks, ratios: Tasks, alpha: float
) -> Tasks:
    """Return dL_TDB / dw_f = (N/n_f) g_f sign(w_f g_f - mean(w g) r_f^alpha), of eq. 11.

    `norms` are the unweighted g_f, `ratios` the N/n_f. The target mean(w g) r_f^alpha is a
    constant, as in GradNorm: otherwise the loss falls by shrinking every gradient.
    """
    targets = (weights * norms).mean() * rates**alpha
    return ratios * norms * (weights * norms - targets).sign()


def renormalised(weights: Tasks, total: Tensor | float) -> Tasks:
    """Return positive weights that sum to `total`: clamped from below first, then scaled."""
    weights = weights.clamp(min=MINIMUM_WEIGHT)
    return weights * (total / weights.sum())


def rebalanced(weights: Tasks, mean_losses: Tasks, total: Tensor | float) -> Tasks:
    """Return the weights a new cycle starts with: total * w_f s_f / sum(w s), s_f = max(L) / L_f.

    From equal weights (the paper's reset) all weighted losses become equal. From the old weights
    the result is the same where L is the weighted loss, and never settles where it is not. All mean
    losses must be positive.
    """
    # min/L instead of max/L: the factor max/min cancels in the sum, and cannot overflow here.
    scaled = weights * (mean_losses.min() / mean_losses)
    return renormalised(total * scaled / scaled.sum(), total)
