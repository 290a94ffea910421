"""PCGrad: conflicting gradients are projected off each other (Yu et al. 2020)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pipeline.mtl.weighting import WeightedGradients


class PCGrad(WeightedGradients):
    """The trunk descends the sum of the gradients, each projected off those it conflicts with.

    Each gradient takes the others in a random order, drawn anew for each batch. The result is a sum
    of the original gradients, whose weights are `task_weights`, all at least 1.
    """

    def _weigh(self, gramian: Tensor) -> Tensor:
        orders = torch.stack([torch.randperm(len(gramian)) for _ in gramian])
        return projected_weights(gramian, orders)


def projected_weights(gramian: Float[Tensor, "k k"], orders: Tensor) -> Float[Tensor, " k"]:
    """Return the weights of k gradients in the sum of the projected ones.

    `orders` (k, k): row f is the order in which gradient f takes the others, and itself, which
    changes nothing.
    """
    rows = torch.arange(len(gramian))
    weights = torch.eye(len(gramian), dtype=gramian.dtype)  # row f: the projected gradient f
    for others in orders.unbind(dim=1):
        products = (weights * gramian[others]).sum(dim=1)
        conflict = (products < 0) & (others != rows)
        steps = torch.where(conflict, products / gramian.diagonal()[others], 0)
        weights[rows, others] -= steps
    return weights.sum(dim=0)
