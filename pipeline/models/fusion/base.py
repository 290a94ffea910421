"""What all fusions share: sorted modalities, masked inputs, one shape of output, options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

# Of each option of a fusion: its allowed words, or int for a whole number from 1.
Options = Mapping[str, tuple[str, ...] | type[int]]


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
    """A fusion of M >= 1 modalities, whose names are sorted once and stored.

    Args:
        dims: width d_m of each modality's vector.

    Attributes:
        takes: which of ``width`` and ``theta`` the class takes as keywords.
        options: further keywords that params.yaml may set, and their allowed values.
        joint_dim: width of the fused vector.
        level_dims: width of each level.
        vertices: names in the order of the columns of ``Fused.weights``.

    Raises:
        ValueError: without a modality.
    """

    takes: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[Options] = {}
    joint_dim: int
    level_dims: list[int]
    vertices: dict[str, list[Any]]

    def __init__(self, dims: Mapping[str, int]) -> None:
        super().__init__()
        if not dims:
            raise ValueError("a fusion needs at least one modality, dims is empty")
        self.modalities = tuple(sorted(dims))
        self.dims = tuple(dims[name] for name in self.modalities)
        self.level_dims = []
        self.vertices = {}

    @classmethod
    def check_options(cls, values: Mapping[str, Any]) -> None:
        """Raise a ValueError that names the first option that is unknown or has a wrong value."""
        for option, value in values.items():
            if option not in cls.options:
                raise ValueError(f"{option} is not an option of {cls.__name__}")
            allowed = cls.options[option]
            if isinstance(allowed, tuple):
                valid, expected = value in allowed, ", ".join(allowed)
            else:
                valid, expected = type(value) is int and value >= 1, "whole numbers from 1"
            if not valid:
                raise ValueError(f"{option} is {value!r}; allowed: {expected}")

    def masked_inputs(
        self,
        features: Mapping[str, Float[Tensor, "b _"]],
        present: Mapping[str, Bool[Tensor, " b"]] | None,
    ) -> tuple[list[Float[Tensor, "b _"]], Bool[Tensor, "b m"]]:
        """Inputs in the stored order with absent rows at 0, and which are present.

        An absent row's content has no influence: even NaN there reaches no value and no gradient.

        Raises:
            ValueError: if the modalities or their widths are not those of the fusion.
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
        # where, not multiplication: 0 * NaN is NaN, forwards and backwards.
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


def check_theta(theta: float) -> None:
    """Raise a ValueError unless theta of eq. 5 lies in (0, 1)."""
    if not 0.0 < theta < 1.0:
        raise ValueError(f"theta is {theta}; eq. 5 takes a value between 0 and 1, both excluded")
