"""Task-level dynamic balancing: eq. 11 and its gradient by the loss weights, in closed form."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Tasks = Float[Tensor, " k"]


def inverse_training_rates(losses: Tasks, start_losses: Tasks, relative: bool = True) -> Tasks:
    """Return r_f: what is left of each task's first loss, L_f / L_f(0).

    `relative` divides by the mean over the tasks (GradNorm), so that 1 is "as fast as the others".
    Unnormalised, every target falls below the mean gradient once all losses have fallen, and eq. 11
    then only takes weight from whichever task has the largest N/n_f g_f.
    """
    tiny = torch.finfo(losses.dtype).tiny
    left = losses / start_losses.clamp(min=tiny)
    return left / left.mean().clamp(min=tiny) if relative else left


def balancing_terms(
    weights: Tasks, norms: Tasks, rates: Tasks, ratios: Tasks, alpha: float
) -> Tasks:
    """Return the terms of L_TDB (eq. 11), (N/n_f) |w_f g_f - mean(w g) r_f^alpha|.

    `norms` are the unweighted g_f, `ratios` the N/n_f. The target mean(w g) r_f^alpha is a
    constant, as in GradNorm: otherwise the loss falls by shrinking every gradient.
    """
    return ratios * (weights * norms - _targets(weights, norms, rates, alpha)).abs()


def balancing_gradient(
    weights: Tasks, norms: Tasks, rates: Tasks, ratios: Tasks, alpha: float
) -> Tasks:
    """Return dL_TDB / dw_f = (N/n_f) g_f sign(w_f g_f - mean(w g) r_f^alpha)."""
    return ratios * norms * (weights * norms - _targets(weights, norms, rates, alpha)).sign()


def renormalised(weights: Tasks, total: Tensor | float, minimum: float) -> Tasks:
    """Return positive weights that sum to `total`: clamped at `minimum` first, then scaled."""
    weights = weights.clamp(min=minimum)
    return weights * (total / weights.sum())


def rebalanced(mean_losses: Tasks, total: Tensor | float, minimum: float) -> Tasks:
    """Return the weights a new cycle starts with: total * s_f / sum s, s_f = max(L) / L_f.

    They make all weighted losses equal. Multiplying the old weights by s_f instead, as the paper
    may be read too, gives the same where L is the weighted loss, and never settles where it is not.
    All mean losses must be positive.
    """
    # min/L instead of max/L: the factor max/min cancels in the sum, and cannot overflow here.
    scalars = mean_losses.min() / mean_losses
    return renormalised(total * scalars / scalars.sum(), total, minimum)


def _targets(weights: Tensor, norms: Tensor, rates: Tensor, alpha: float) -> Tensor:
    return (weights * norms).mean().detach() * rates**alpha
