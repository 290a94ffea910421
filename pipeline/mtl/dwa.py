"""DWA: dynamic weight average, by how fast each loss falls (Liu, Johns and Davison 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from pipeline.mtl.labelled import LabelledTasks
from pipeline.mtl.method import Options, Predictions
from pipeline.mtl.task import Task
from pipeline.mtl.weighting import WeightedLosses


class DWA(WeightedLosses):
    """L = sum_f w_f L_f, w = F softmax(r / T), r_f the ratio of the last two epochs' mean losses.

    r_f is 1 until two epochs have labelled the task, and after a loss of 0. An epoch without a
    label of a task leaves its weight alone, and the others share the rest of the sum.

    temperature: 2.0, T; higher is more even.
    """

    options: ClassVar[Options] = {"temperature": float}

    previous_losses: Tensor  # (F,) of the last epoch that labelled the task, 0 before it

    def __init__(self, tasks: Sequence[Task], *, temperature: float = 2.0) -> None:
        self.check_options({"temperature": temperature})
        super().__init__(tasks)
        self.temperature = temperature
        self.register_buffer("previous_losses", torch.zeros(len(self.tasks)))

    def _weigh(self, predictions: Predictions, batch: LabelledTasks, losses: Tensor) -> Tensor:
        return self.task_weights[batch.index]

    def _end_cycle(self, means: Tensor, labelled: Tensor) -> None:
        previous = self.previous_losses
        divisors = previous.clamp(min=torch.finfo(previous.dtype).tiny)
        rates = torch.where(previous > 0, means / divisors, 1.0)[labelled]
        self.previous_losses = torch.where(labelled, means, previous)
        weights = self.task_weights[labelled].sum() * (rates / self.temperature).softmax(0)
        self.task_weights = self.task_weights.masked_scatter(labelled, weights)
