"""MTI-Net on vectors: the training loss with deep supervision (Vandenhende et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from pipeline.mtl.labelled import LabelledTasks, mean_losses
from pipeline.mtl.method import MultiTaskMethod
from pipeline.mtl.predictions import Predictions
from pipeline.mtl.task import Task


class MTINet(MultiTaskMethod):
    """L = sum_f [L_f(final) + sum_s L_f(level s)] / (S + 1), plain cross entropies.

    The division, which the original does without, keeps the size of the loss, and so the meaning
    of the learning rate, that of the other methods. Labels that are unknown mask every level. The
    network's heads are `MTINetHeads`.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__(tasks)

    def _combine(self, predictions: Predictions, labelled: LabelledTasks, losses: Tensor) -> Tensor:
        levels = predictions.auxiliary
        if not levels:
            raise ValueError("mtinet got no auxiliary logits; give the network MTINetHeads")
        total = losses.sum()
        for logits in levels:
            total = total + mean_losses(labelled, logits, self.beta).sum()
        return total / (len(levels) + 1)
