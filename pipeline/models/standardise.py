"""Features with mean 0 and standard deviation 1 over the training rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pipeline.models.masking import valid_steps

# Features are stored as float32: a deviation below its resolution is only rounding.
RESOLUTION = 10 * torch.finfo(torch.float32).eps


class Standardise(nn.Module):
    """(x - mean) / std for each feature, with both as buffers; the identity until fitted.

    Without it a modality with large raw features would dominate a concatenation.

    Args:
        dim: number of features d.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))

    @classmethod
    def fit(cls, dim: int, arrays: Iterable[Any]) -> Standardise:
        """Fit to arrays (n_i, d) of training rows or steps, read one at a time.

        A feature that does not vary is centred and divided by 1. Without any row the result is
        the identity.

        Raises:
            ValueError: for an array with NaN or infinite values.
        """
        count = 0
        mean = torch.zeros(dim, dtype=torch.float64)
        squares = torch.zeros(dim, dtype=torch.float64)  # sum of squared deviations
        for index, array in enumerate(arrays):
            values = torch.as_tensor(array).to(torch.float64)
            if len(values) == 0:
                continue
            if not values.isfinite().all():
                raise ValueError(
                    f"array {index} has NaN or infinite values; leave such rows out, as absent"
                )
            # Chan's update: sums of raw squares would cancel where the mean is large.
            center = values.mean(dim=0)
            shift = center - mean
            total = count + len(values)
            squares += (values - center).square().sum(dim=0)
            squares += shift.square() * (count * len(values) / total)
            mean += shift * (len(values) / total)
            count = total
        module = cls(dim)
        if count:
            std = (squares / count).sqrt()
            module.mean.copy_(mean)
            module.std.copy_(torch.where(std <= RESOLUTION * mean.abs(), 1.0, std))
        return module

    def forward(
        self, x: Float[Tensor, "b t d"], lengths: Int[Tensor, " b"]
    ) -> Float[Tensor, "b t d"]:
        """Standardise the first ``lengths[b]`` steps of each row; padded steps are 0."""
        valid = valid_steps(lengths, x.shape[1]).unsqueeze(-1)
        return torch.where(valid, (x - self.mean) / self.std, 0.0)
