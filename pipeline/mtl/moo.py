"""MOO: multi-task learning as multi-objective optimisation (Sener and Koltun 2018, MGDA-UB)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.mtl.labelled import LabelledTasks
from pipeline.mtl.method import MultiTaskMethod
from pipeline.mtl.min_norm import min_norm_weights
from pipeline.mtl.predictions import Predictions
from pipeline.mtl.task import Task
from pipeline.mtl.task_gradients import joint_gradients

_NORMALISERS = ("none", "l2", "loss", "loss+")


class MOO(MultiTaskMethod):
    """L = sum_f a_f L_f, with a the smallest point in the hull of the tasks' gradients.

    With G_f = dL_f / dJ by the joint representation J (B, d), flattened over batch and feature,
    a = argmin ||sum_f a_f G_f||^2 over the simplex (the paper's upper bound, which never
    differentiates the trunk). One forward pass serves both gradients and loss. The losses are plain
    cross entropies.

    A task without labels in a batch leaves the hull: its gradient of zero would draw all weight.
    Where a labelled task's gradient is exactly zero the batch is Pareto stationary, and the weights
    are equal, so that the other tasks do not stop.

    Options (first: the default):
    normaliser: what divides G_f before the hull is formed: "none"; "l2", its norm; "loss", L_f;
        "loss+", both.
    scale_heads: True, heads learn at a_f like the trunk, as in the authors' code; False, at 1, as
        in the paper's algorithm 2. False needs heads that see the network through J alone.
    """

    def __init__(
        self, tasks: Sequence[Task], *, normaliser: str = "none", scale_heads: bool = True
    ) -> None:
        if normaliser not in _NORMALISERS:
            allowed = ", ".join(_NORMALISERS)
            raise ValueError(f"mtl option normaliser is {normaliser!r}; allowed: {allowed}")
        super().__init__(tasks)
        self.task_weights /= len(self.tasks)
        self.normaliser = normaliser
        self.scale_heads = scale_heads
        self._found = torch.zeros(0)

    def _combine(self, predictions: Predictions, labelled: LabelledTasks, losses: Tensor) -> Tensor:
        gradients = torch.stack(joint_gradients(losses, predictions.joint))  # (k, B, d)
        self._found = self._hull_weights(gradients.flatten(1), losses.detach())
        if self.scale_heads:
            return (self._found * losses).sum()
        # The heads get dL_f; the joint gets a_f dL_f, by a term that changes no value.
        excess = torch.einsum("k,kbd->bd", self._found - 1, gradients)
        correction = (predictions.joint * excess).sum()
        return losses.sum() + correction - correction.detach()

    def _hull_weights(self, gradients: Tensor, losses: Tensor) -> Tensor:
        """Return the weights (k,) of gradients (k, B d)."""
        norms = torch.linalg.vector_norm(gradients, dim=1)
        if (norms == 0).any():
            return torch.full_like(losses, 1 / len(losses))
        scales = torch.ones_like(norms)
        if self.normaliser in ("l2", "loss+"):
            scales = scales * norms
        if self.normaliser in ("loss", "loss+"):
            scales = scales * losses.clamp(min=torch.finfo(losses.dtype).tiny)
        gradients = gradients / scales[:, None]
        if gradients.device.type != "mps":  # which has no float64
            gradients = gradients.double()
        return min_norm_weights(gradients @ gradients.T).to(losses)

    def _record(self, labelled: LabelledTasks, losses: Tensor) -> None:
        super()._record(labelled, losses)
        self.task_weights = self.task_weights.index_copy(0, labelled.index, self._found.to(losses))
