"""FAMO: all losses fall at the same rate, from their values alone (Liu et al. 2023)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from pipeline.mtl.labelled import LabelledTasks, mean_losses
from pipeline.mtl.method import Options, Predictions
from pipeline.mtl.task import Task
from pipeline.mtl.task_adam import TaskAdam
from pipeline.mtl.weighting import WeightedLosses

# Added to each loss before its logarithm.
EPSILON = 1e-8


class FAMO(WeightedLosses):
    """The network descends sum_f z_f log L_f, z = softmax(xi) over a batch's labelled tasks.

    That is sum_f w_f L_f with w_f in proportion to z_f / L_f and sum 1. After the network's step xi
    moves, by Adam as in the authors' code, so that a task whose log loss fell more than the others'
    loses weight. How much it fell is measured on the same batch, by a second forward pass with the
    same dropout: a step changes a loss by far less than two batches or two dropouts differ.

    weight_learning_rate: 0.025, of that Adam. decay: 0.001, the pull of xi towards 0.
    """

    options: ClassVar[Options] = {"weight_learning_rate": float, "decay": float}

    logits: Tensor  # (F,) xi

    def __init__(
        self, tasks: Sequence[Task], *, weight_learning_rate: float = 0.025, decay: float = 0.001
    ) -> None:
        self.check_options({"weight_learning_rate": weight_learning_rate, "decay": decay})
        super().__init__(tasks)
        self.decay = decay
        self.register_buffer("logits", torch.zeros(len(self.tasks)))
        self.adam = TaskAdam(len(self.tasks), weight_learning_rate)

    def _weigh(self, predictions: Predictions, batch: LabelledTasks, losses: Tensor) -> Tensor:
        weights = self.logits[batch.index].softmax(0) / (losses.detach() + EPSILON)
        return weights / weights.sum()

    def on_step(self, repeat: Callable[[], Predictions] | None = None) -> None:
        """Record the batch, and move xi by what its losses are now; see `MultiTaskMethod`."""
        last = self._last_batch
        super().on_step(repeat)
        if last is None or not last[0].tasks:
            return
        if repeat is None:
            raise ValueError("famo needs the losses after the step; call on_step(repeat)")
        batch, before = last
        with torch.no_grad():
            after = mean_losses(batch, repeat().logits, self.beta)
        fall = (before + EPSILON).log() - (after + EPSILON).log()
        z = self.logits[batch.index].softmax(0)
        fall = fall.to(z)
        gradient = z * (fall - z @ fall) + self.decay * self.logits[batch.index]
        self.logits = self.adam.step(self.logits, gradient, batch.index)
