"""When to stop: what an epoch is judged by, and how long to wait for a better one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

Monitor = Literal["loss", "map", "f1"]


class DivergenceError(ValueError):
    """A training whose validation loss left the numbers."""


def relative_loss(losses: Mapping[str, float], initial: Mapping[str, float]) -> float:
    """Average the unweighted task losses, each divided by its own initial loss L_f(0).

    The weighted sum would jump at every re-balancing and cannot be compared between epochs. Tasks
    without a validation label, or that had no loss to begin with, are left out. Raises ValueError
    if no task is left, and DivergenceError if the result is not finite.
    """
    ratios = [
        losses[task] / initial[task] for task in losses if task in initial and initial[task] != 0
    ]
    if not ratios:
        raise ValueError(
            "no validation row has a label of any trained task; early stopping needs one"
        )
    mean = sum(ratios) / len(ratios)
    if not math.isfinite(mean):
        raise DivergenceError(
            f"the validation loss is {mean}: training diverged; lower train.learning_rate"
        )
    return mean


def monitored(monitor: Monitor, loss: float, scores: Mapping[str, float]) -> float:
    """Give the value an epoch is judged by, lower being better: scores are negated.

    "loss" is the relative validation loss, "map" and "f1" the mean over the tasks in `scores`.
    """
    return loss if monitor == "loss" else -scores[f"mean_{monitor}"]


class EarlyStopping:
    """Remember the best epoch; stop after `patience` epochs without a better one."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.best = float("inf")
        self.best_epoch = -1

    def improved(self, value: float, epoch: int) -> bool:
        """Take an epoch's value, lower being better; tells whether it is the best so far."""
        if not value < self.best:  # also where it is not a number
            return False
        self.best, self.best_epoch = value, epoch
        return True

    def exhausted(self, epoch: int) -> bool:
        """Tell whether patience has run out after this epoch."""
        return epoch - self.best_epoch >= self.patience
