"""MOO: multi-task learning as multi-objective optimisation (Sener and Koltun 2018, MGDA-UB)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pipeline.mtl.labelled import LabelledTasks, shared_gradients
from pipeline.mtl.method import Options, Predictions
from pipeline.mtl.task import Task
from pipeline.mtl.weighting import WeightedLosses, gramian

# Added to every cosine of a gradient with itself: the minimiser becomes unique (equal gradients
# share their weight evenly) and every system solvable, for gradients of any size.
RIDGE = 1e-10
# How far rounding may move an inner product, relative to the lengths that entered it.
ROUNDING = 1e-13


class MOO(WeightedLosses):
    """L = sum_f a_f L_f, with a the smallest point in the hull of the tasks' gradients.

    With G_f = dL_f / dJ by the shared representation J (B, d), flattened over batch and feature,
    a = argmin ||sum_f a_f G_f||^2 over the simplex (the paper's upper bound, which never
    differentiates the trunk). One forward pass serves both gradients and loss. The losses are plain
    cross entropies. The heads learn at a_f like the trunk, as in the authors' code.

    A task without labels in a batch is not in the hull: its gradient of zero would get all the
    weight. Where a labelled task's gradient is exactly zero the batch is Pareto stationary, and the
    weights are equal, so that the other tasks do not stop.

    normaliser: the divisor of G_f before the hull is formed: "loss+", the product of the other two
        and the default, as in the authors' configuration for forty binary labels; "l2", its norm;
        "loss", L_f; "none", as in their paper, where a rare label's small gradient takes all.
    """

    options: ClassVar[Options] = {"normaliser": ("loss+", "l2", "loss", "none")}

    def __init__(self, tasks: Sequence[Task], *, normaliser: str = "loss+") -> None:
        self.check_options({"normaliser": normaliser})
        super().__init__(tasks)
        self.task_weights /= len(self.tasks)
        self.normaliser = normaliser

    def _weigh(self, predictions: Predictions, batch: LabelledTasks, losses: Tensor) -> Tensor:
        logits, shared = predictions.logits, predictions.shared
        products = gramian(shared_gradients(batch, logits, shared, self.beta))
        norms = products.diagonal().sqrt()
        if (norms == 0).any():
            return torch.full_like(losses, 1 / len(losses))
        scales = torch.ones_like(norms)
        if self.normaliser in ("l2", "loss+"):
            scales = scales * norms
        if self.normaliser in ("loss", "loss+"):
            scales = scales * losses.detach().to(norms).clamp(min=torch.finfo(losses.dtype).tiny)
        return min_norm_weights(products / scales.outer(scales)).to(losses)


def min_norm_weights(gramian: Float[Tensor, "k k"]) -> Float[Tensor, " k"]:
    """Return argmin of ||sum_f a_f G_f||^2 over the simplex, given A, the products <G_f, G_g>.

    Wolfe's active-set method (1976): each round admits the gradient that most opposes the current
    point, then solves exactly on those admitted. Frank-Wolfe, the usual choice, approaches the same
    point by ever smaller steps: torchjd 0.18 with its defaults violates (A a)_f >= a^T A a by up to
    4e-4 of the largest squared norm on random hulls of 7 tasks, this solver by 1e-12 in a third of
    the time. Gradients of zero share all the weight. Computed in float64 on the processor.
    """
    A = gramian.detach().cpu().double()
    lengths = A.diagonal().clamp(min=0).sqrt()
    if (lengths == 0).any():
        zero = lengths == 0
        return (zero / zero.sum()).to(gramian)
    lengths = lengths / lengths.max()
    cosines = A / A.diagonal().sqrt().outer(A.diagonal().sqrt())
    cosines = cosines + RIDGE * torch.eye(len(A), dtype=torch.float64)
    admitted = torch.zeros(len(A), dtype=torch.bool)
    admitted[lengths.argmin()] = True
    weights = admitted.double()
    for _ in range(20 * len(A)):  # finite in theory, a few k in practice; rounding must not loop
        entered = _most_opposed(cosines, lengths, weights)
        if entered is None or admitted[entered]:
            break
        admitted[entered] = True
        weights, admitted = _minimise_over(cosines, lengths, weights, admitted)
    return weights.to(gramian)


def _most_opposed(cosines: Tensor, lengths: Tensor, weights: Tensor) -> int | None:
    """Index of the gradient whose product with the current point is furthest below its norm."""
    scaled = weights * lengths
    products = lengths * (cosines @ scaled)
    total = scaled.sum()
    gaps = weights @ products - products - ROUNDING * total * (lengths + total)
    worst = int(gaps.argmax())
    return worst if gaps[worst] > 0 else None


def _minimise_over(
    cosines: Float[Tensor, "k k"],
    lengths: Float[Tensor, " k"],
    weights: Float[Tensor, " k"],
    admitted: Bool[Tensor, " k"],
) -> tuple[Float[Tensor, " k"], Bool[Tensor, " k"]]:
    """Minimise over the hull of those admitted, dropping each whose weight would fall below 0."""
    while True:
        target = _affine_minimiser(cosines, lengths, admitted)
        blocked = admitted & (target <= 0)
        if not blocked.any():
            return target, admitted
        steps = torch.where(blocked, weights / (weights - target), torch.inf)
        first = steps.argmin()
        weights = (weights + steps[first] * (target - weights)).clamp(min=0)
        weights[first] = 0
        admitted = admitted.index_fill(0, first, False)


def _affine_minimiser(cosines: Tensor, lengths: Tensor, admitted: Tensor) -> Tensor:
    """Smallest point of the plane through those admitted: A^-1 1 scaled to sum 1, A = D C D."""
    inverse = 1 / lengths[admitted]
    solution = inverse * torch.linalg.solve(cosines[admitted][:, admitted], inverse)
    return torch.zeros_like(lengths).masked_scatter(admitted, solution / solution.sum())
