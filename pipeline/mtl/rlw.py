"""RLW: random loss weighting (Lin et al. 2022)."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.mtl.labelled import LabelledTasks
from pipeline.mtl.method import Predictions
from pipeline.mtl.weighting import WeightedLosses


class RLW(WeightedLosses):
    """L = sum_f w_f L_f, w the softmax of normal numbers drawn anew for each batch."""

    def _weigh(self, predictions: Predictions, batch: LabelledTasks, losses: Tensor) -> Tensor:
        draws = torch.randn(len(losses), dtype=losses.dtype)  # on the processor: the same anywhere
        return draws.softmax(0).to(losses.device)
