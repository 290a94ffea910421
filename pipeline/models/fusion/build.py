"""A fusion by its name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pipeline.models.fusion.base import Fusion
from pipeline.models.fusion.cfc import CFC
from pipeline.models.fusion.dmf import DMF
from pipeline.models.fusion.gfn import GFN
from pipeline.models.fusion.hgfn import HGFN
from pipeline.models.fusion.matf import MATF

FUSIONS: dict[str, type[Fusion]] = {
    "cfc": CFC,
    "dmf": DMF,
    "gfn": GFN,
    "hgfn": HGFN,
    "matf": MATF,
}


def build_fusion(
    name: str, dims: Mapping[str, int], width: int = 256, theta: float = 0.5, **options: Any
) -> Fusion:
    """Build the fusion of that name.

    ``width`` reaches the fusions whose levels have a free width, and ``theta`` those that weight
    vertices by similarity (hgfn and gfn for both); the others have no such quantity.

    Args:
        name: "hgfn", "gfn", "matf", "cfc" or "dmf".
        dims: width d_m of each modality's vector; the names are sorted and kept.
        width: D, width of every level.
        theta: offset of the similarity in eq. 5, in (0, 1).
        options: what the named fusion's class takes beside these.

    Raises:
        ValueError: for an unknown name or option, listing what is allowed.
    """
    _check_known("fusion", name, list(FUSIONS))
    fusion = FUSIONS[name]
    parameters = [key for key in inspect.signature(fusion).parameters if key != "dims"]
    allowed = [key for key in parameters if key not in ("width", "theta")]
    for option in options:
        _check_known(f"option of fusion {name!r}:", option, allowed)
    shared = {"width": width, "theta": theta}
    return fusion(dims, **{k: v for k, v in shared.items() if k in parameters}, **options)


def _check_known(kind: str, value: str, allowed: list[str]) -> None:
    if value not in allowed:
        close = get_close_matches(value, allowed, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        listed = ", ".join(sorted(allowed)) or "none"
        raise ValueError(f"unknown {kind} {value!r}{hint}; allowed: {listed}")
