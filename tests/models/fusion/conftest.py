"""Small fusions, and other readings of HGFN."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models.fusion import build_fusion
from pipeline.models.fusion.base import Fusion
from pipeline.models.fusion.dmf import DMF


@pytest.fixture(scope="session")
def small() -> Any:
    """Callable(name, dims, width) -> a float64 fusion of that name with few parameters."""

    def build(name: str, dims: dict[str, int], width: int = 6) -> Fusion:
        if name == "dmf":
            return DMF(dims, (4 * width, 3 * width, 2 * width)).double()
        options = {"matf": {"channels": width}}.get(name, {})
        return build_fusion(name, dims, width=width, **options).double()

    return build


@pytest.fixture(
    scope="session",
    params=[
        {},
        {"align": "pad"},
        {"weight": "vector"},
        {"gate": "sigmoid"},
        {"pairs": "ordered"},
        {"tri_weight": "q"},
        {"align": "pad", "weight": "vector", "pairs": "ordered", "tri_weight": "q"},
    ],
    ids=str,
)
def hgfn_options(request: pytest.FixtureRequest) -> dict[str, str]:
    """Other readings of HGFN, one at a time and together."""
    return dict(request.param)
