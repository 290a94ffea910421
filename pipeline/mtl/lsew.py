"""LSEW: the linear sum of equally weighted losses, the paper's baseline."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from pipeline.mtl.labelled import LabelledTasks
from pipeline.mtl.method import MultiTaskMethod
from pipeline.mtl.predictions import Predictions
from pipeline.mtl.task import Task


class LSEW(MultiTaskMethod):
    """L = sum_f L_f with plain cross entropy.

    A sum and not a mean, which matters for the learning rate.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__(tasks)

    def _combine(self, predictions: Predictions, labelled: LabelledTasks, losses: Tensor) -> Tensor:
        return losses.sum()
