"""Small fusions, and other readings of HGFN."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models.fusion import build_fusion
from pipeline.models.fusion.base import Fusion


@pytest.fixture(scope="session")
def small() -> Any:
    """Callable(name, dims, width) -> a float64 fusion of that name with few parameters."""

    def build(name: str, dims: dict[str, int], width: int = 6) -> Fusion:
        # DMF ends at half of its width: all of 3 ReLUs may be 0 in a row.
        scale = 4 if name == "dmf" else 1
        return build_fusion(name, dims, width=scale * width).double()

    return build


@pytest.fixture(
    scope="session",
    params=[
        {},
        {"align": "pad"},
        {"align": "plain"},
        {"weight": "attention"},
        {"weight": "vector"},
        {"gate": "sigmoid"},
        {"pairs": "ordered"},
        {"tri_weight": "q"},
        {"tri_weight": "scaled"},
        {"vertex_norm": "layer"},
        {"vertex_weights": "mean"},
        {"vertex_weights": "uniform"},
        {"align": "pad", "weight": "vector", "pairs": "ordered", "tri_weight": "q"},
        {"weight": "vector", "pairs": "ordered", "vertex_weights": "mean"},
        {"pairs": "ordered", "tri_weight": "scaled", "vertex_weights": "uniform"},
    ],
    ids=str,
)
def hgfn_options(request: pytest.FixtureRequest) -> dict[str, str]:
    """Other readings of HGFN, one at a time and together."""
    return dict(request.param)
