"""Fusions of modality vectors: the paper's HGFN and the baselines it is compared with.

To add a fusion, write one file with one `Fusion`, and name it in FUSIONS; docs/extending.md has an
example.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Not at run time: parameters are checked without waiting for torch.
    from pipeline.models.fusion.base import Fusion

__all__ = ["FUSIONS", "THETA", "build_fusion", "check_fusion", "fusion_class"]

# Module in this folder -> its class.
FUSIONS = {
    "hgfn": "HGFN",
    "gfn": "GFN",
    "matf": "MATF",
    "cfc": "CFC",
    "dmf": "DMF",
}
THETA = 0.5


def build_fusion(
    name: str, dims: Mapping[str, int], width: int = 256, theta: float = THETA, **options: Any
) -> Fusion:
    """Build the fusion of that name.

    Args:
        name: one of `FUSIONS`.
        dims: width d_m of each modality's vector.
        width: D, width of every level; a fusion whose levels have no free width ignores it.
        theta: offset of the similarity in eq. 5, in (0, 1); the default for a fusion without it.
        options: of the fusion's class, see `Fusion.options`.

    Raises:
        ValueError: as `check_fusion`, and for values that do not fit the number of modalities.
    """
    check_fusion(name, theta, options)
    fusion = fusion_class(name)
    values = {"width": width, "theta": theta}
    return fusion(dims, **{key: values[key] for key in fusion.takes}, **options)


def check_fusion(name: str, theta: float, options: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the key of params.yaml, where a setting does not fit the fusion.

    A fusion without theta takes only its default. torch is imported only where the answer depends
    on the fusion's class.
    """
    if name not in FUSIONS:
        allowed = ", ".join(FUSIONS)
        raise ValueError(f"fusion.name is {name!r}{_suggestion(name, FUSIONS)}; allowed: {allowed}")
    if theta != THETA and "theta" not in fusion_class(name).takes:
        raise ValueError(f"fusion.theta is {theta}, but {name} has no theta; set it to {THETA}")
    for key in options:
        known = fusion_class(name).options
        if key not in known:
            names = f"the options {', '.join(known)}" if known else "no options"
            raise ValueError(
                f"unknown key fusion.options.{key}{_suggestion(key, known)}; {name} has {names}"
            )
    if options:
        fusion_class(name).check_options(options, prefix="fusion.options.")


def fusion_class(name: str) -> type[Fusion]:
    """Import and return the class of a name in `FUSIONS`."""
    fusion: type[Fusion] = getattr(import_module(f"{__name__}.{name}"), FUSIONS[name])
    return fusion


def _suggestion(value: str, known: Iterable[str]) -> str:
    close = get_close_matches(value, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
