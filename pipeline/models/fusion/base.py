"""What every fusion of modalities has in common: stored order, masked inputs, one output shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Fused(NamedTuple):
    """One vector for each row out of all modalities.

    Attributes:
        joint: (B, joint_dim), what the heads read.
        levels: (B, level_dims[i]) each, from local to global; empty where a fusion has none.
        weights: detached, for explanation. Columns follow ``Fusion.vertices``; what contains an
            absent modality is 0. ``"absent"`` (B,) marks the rows without any modality.
    """

    joint: Tensor
    levels: list[Tensor]
    weights: dict[str, Tensor]


class Fusion(nn.Module):
    """A fusion of M >= 1 modalities, whose names are sorted once and kept.

    Args:
        dims: width d_m of each modality's vector.

    Raises:
        ValueError: without a modality, or with a width below 1.
    """

    joint_dim: int
    level_dims: list[int]
    vertices: dict[str, list[Any]]

    def __init__(self, dims: Mapping[str, int]) -> None:
        super().__init__()
        if not dims:
            raise ValueError("a fusion needs at least one modality, dims is empty")
        self.modalities = tuple(sorted(dims))
        self.dims = tuple(int(dims[name]) for name in self.modalities)
        for name, dim in zip(self.modalities, self.dims, strict=True):
            if dim < 1:
                raise ValueError(f"dims[{name!r}] is {dim}; a modality has at least one feature")
        self.level_dims = []
        self.vertices = {}

    def masked_inputs(
        self,
        features: Mapping[str, Float[Tensor, "b _"]],
        present: Mapping[str, Bool[Tensor, " b"]] | None,
    ) -> tuple[list[Float[Tensor, "b _"]], Bool[Tensor, "b m"]]:
        """Inputs in the stored order with absent rows at 0, and which are present.

        An absent row's content is never read, so that even NaN there reaches no value and no
        gradient.

        Raises:
            ValueError: where the modalities or their widths are not those of the fusion.
        """
        self._check_names("features", features)
        values = [features[name] for name in self.modalities]
        for name, dim, value in zip(self.modalities, self.dims, values, strict=True):
            if value.shape[1] != dim:
                raise ValueError(f"features[{name!r}] is {value.shape[1]} wide, expected {dim}")
        if present is None:
            rows = values[0].shape[0]
            return values, values[0].new_ones(rows, len(values), dtype=torch.bool)
        self._check_names("present", present)
        mask = torch.stack([present[name] for name in self.modalities], dim=1)
        # where, not multiplication: 0 * NaN is NaN, forwards and backwards
        masked = [
            torch.where(mask[:, m : m + 1], value, torch.zeros_like(value))
            for m, value in enumerate(values)
        ]
        return masked, mask

    def _check_names(self, argument: str, given: Mapping[str, Any]) -> None:
        if set(given) != set(self.modalities):
            raise ValueError(
                f"{argument} has {sorted(given)}, the fusion was built for {list(self.modalities)}"
            )


def check_choice(option: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise a ValueError that names the option where ``value`` is none of ``allowed``."""
    if value not in allowed:
        raise ValueError(f"{option} is {value!r}; allowed: {', '.join(allowed)}")


def check_theta(theta: float) -> None:
    """Raise a ValueError unless theta of eq. 5 lies in (0, 1)."""
    if not 0.0 < theta < 1.0:
        raise ValueError(f"theta is {theta}; eq. 5 takes a value between 0 and 1, both excluded")
