"""LSEW: the linear sum of equally weighted losses, the paper's baseline."""

from __future__ import annotations

from torch import Tensor

from pipeline.mtl.labelled import LabelledTasks
from pipeline.mtl.method import MultiTaskMethod, Predictions


class LSEW(MultiTaskMethod):
    """L = sum_f L_f with plain cross entropy.

    A sum and not a mean, which matters for the learning rate.
    """

    def _combine(self, predictions: Predictions, batch: LabelledTasks, losses: Tensor) -> Tensor:
        return losses.sum()
