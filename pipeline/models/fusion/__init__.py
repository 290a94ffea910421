"""Fusions of modality vectors: the paper's HGFN and the baselines it is compared with.

To add a fusion, write one file with one `Fusion`, and name it in FUSIONS; docs/extending.md has an
example.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Not at run time: parameters are checked without waiting for torch.
    from pipeline.models.fusion.base import Fusion

__all__ = ["FUSIONS", "build_fusion", "fusion_class"]

# Module in this folder -> its class.
FUSIONS = {
    "hgfn": "HGFN",
    "gfn": "GFN",
    "matf": "MATF",
    "cfc": "CFC",
    "dmf": "DMF",
    "projected": "Projected",
}


def build_fusion(
    name: str, dims: Mapping[str, int], width: int = 256, theta: float = 0.5, **options: Any
) -> Fusion:
    """Build the fusion of that name.

    Args:
        name: one of `FUSIONS`.
        dims: width d_m of each modality's vector.
        width: D, width of every level; a fusion without a width of its own ignores it.
        theta: offset of the similarity in eq. 5, in (0, 1); a fusion without it ignores it.
        options: of the fusion's class, see `Fusion.options`.

    Raises:
        ValueError: for an unknown name or option, and for a value that is not allowed.
    """
    fusion = fusion_class(name)
    fusion.check_options(options)
    values = {"width": width, "theta": theta}
    return fusion(dims, **{key: values[key] for key in fusion.takes}, **options)


def fusion_class(name: str) -> type[Fusion]:
    """Import and return the class of a name in `FUSIONS`."""
    if name not in FUSIONS:
        raise ValueError(f"unknown fusion {name!r}; allowed: {', '.join(FUSIONS)}")
    fusion: type[Fusion] = getattr(import_module(f"{__name__}.{name}"), FUSIONS[name])
    return fusion
