"""CAGrad: the direction near the mean gradient whose worst task gains most (Liu et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from pipeline.mtl.method import Options, Share
from pipeline.mtl.moo import min_norm_weights
from pipeline.mtl.task import Task
from pipeline.mtl.weighting import WeightedGradients

# Accuracy of a squared length, and the largest that counts as 0, for squared norms of mean 1.
TOLERANCE = 1e-10


class CAGrad(WeightedGradients):
    """The trunk descends d = argmax min_f <G_f, d> subject to ||d - G_0|| <= c ||G_0||.

    G_0 is the mean of the tasks' gradients. The solution is G_0 + c ||G_0|| G_w / ||G_w|| with G_w
    a point of the gradients' hull, see `conflict_averse_weights`. As printed, it is not divided by
    1 + c or 1 + c^2, as the authors' code may do.

    c: 0.5, from 0, where d is the mean gradient, to below 1, as in the paper: from 1 on the mean of
        the losses need not fall, and the solver is not exact.
    """

    options: ClassVar[Options] = {"c": Share}

    def __init__(self, tasks: Sequence[Task], *, c: float = 0.5) -> None:
        self.check_options({"c": c})
        super().__init__(tasks)
        self.c = c

    def _weigh(self, gramian: Tensor) -> Tensor:
        return conflict_averse_weights(gramian, self.c)


def conflict_averse_weights(gramian: Float[Tensor, "k k"], c: float) -> Float[Tensor, " k"]:
    """Return the weights of k gradients in CAGrad's direction, given their products (float64).

    With r = c ||G_0||, w minimises <G_w, G_0> + r ||G_w|| over the simplex. If the length t of G_w
    were known, w would be the smallest point in the hull of the G_f + (t / r) G_0, which
    `min_norm_weights` finds exactly. Its own squared length grows with t^2, linearly as long as the
    same tasks have a weight, so that a few secant steps find the t that equals it.

    Where G_w is 0 the batch is Pareto stationary, and the mean remains, as in the authors' code.
    """
    mean = torch.full_like(gramian[0], 1 / len(gramian))
    A = gramian / gramian.diagonal().mean().clamp(min=torch.finfo(gramian.dtype).tiny)
    products = A @ mean  # <G_f, G_0>
    radius = c * (mean @ products).clamp(min=0).sqrt()
    if radius**2 <= TOLERANCE:
        return mean

    def nearest(square: Tensor) -> tuple[Tensor, Tensor]:
        """Return w where t^2 is `square`, and the squared length of its G_w."""
        shift = square.sqrt() / radius
        shifted = A + shift * (products + products[:, None]) + shift**2 * (mean @ products)
        w = min_norm_weights(shifted)
        return w, w @ A @ w

    w, length = nearest(_fixed_point(lambda square: nearest(square)[1], A.diagonal().max()))
    return mean if length <= TOLERANCE else mean + radius / length.sqrt() * w


def _fixed_point(function: Callable[[Tensor], Tensor], largest: Tensor) -> Tensor:
    """Return the x in [0, largest] with f(x) = x, for an increasing, piecewise linear f."""
    low, high, x = torch.zeros_like(largest), largest, largest
    last: tuple[Tensor, Tensor] | None = None
    for _ in range(50):  # about four in practice; rounding must not loop
        value = function(x)
        if (value - x).abs() <= TOLERANCE:
            break
        low, high = (x, high) if value > x else (low, x)
        following = value  # on the solution's own side, as f increases
        if last is not None:
            slope = (value - last[1]) / (x - last[0])
            secant = (value - slope * x) / (1 - slope)
            following = secant if low < secant < high else value
        last, x = (x, value), following
    return x
