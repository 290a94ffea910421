"""UW: weights from each task's uncertainty (Kendall, Gal and Cipolla 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from pipeline.mtl.labelled import LabelledTasks
from pipeline.mtl.method import Options, Predictions
from pipeline.mtl.task import Task
from pipeline.mtl.task_adam import TaskAdam
from pipeline.mtl.weighting import WeightedLosses


class UW(WeightedLosses):
    """min over the network and s of sum_f exp(-s_f) L_f + s_f / 2, s_f the log variance of task f.

    The form for cross entropies (their eq. 10); that for regression, with L_f / 2, differs from it
    by a shift of s alone. The best s_f gives the weight 1 / (2 L_f).

    The original trains s with the network's optimiser. Here it has an Adam of its own, so that its
    learning rate is not the network's, at whose .0003 it would need 3000 steps to move by 1, and so
    that a task without labels in a batch leaves its s alone.

    weight_learning_rate: 0.025, of that Adam.
    """

    options: ClassVar[Options] = {"weight_learning_rate": float}

    log_variances: Tensor  # (F,) s_f

    def __init__(self, tasks: Sequence[Task], *, weight_learning_rate: float = 0.025) -> None:
        self.check_options({"weight_learning_rate": weight_learning_rate})
        super().__init__(tasks)
        self.register_buffer("log_variances", torch.zeros(len(self.tasks)))
        self.adam = TaskAdam(len(self.tasks), weight_learning_rate)

    def _weigh(self, predictions: Predictions, batch: LabelledTasks, losses: Tensor) -> Tensor:
        return (-self.log_variances[batch.index]).exp()

    def _record(self, batch: LabelledTasks, losses: Tensor) -> None:
        super()._record(batch, losses)
        gradient = 0.5 - self._used.to(losses) * losses
        self.log_variances = self.adam.step(self.log_variances, gradient, batch.index)
