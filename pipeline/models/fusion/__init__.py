"""Fusions of modality vectors by name: the paper's HGFN and the baselines it is compared with.

The names can be read and checked without importing torch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.models.fusion.base import Fusion

# The name in params.yaml, which is also the file's, and the class in it.
FUSIONS = {
    "hgfn": "HGFN",
    "gfn": "GFN",
    "matf": "MATF",
    "cfc": "CFC",
    "dmf": "DMF",
}
THETA = 0.5  # the paper's, and the default in params.yaml


def fusion_class(name: str) -> type[Fusion]:
    """Import the class of a fusion; raises KeyError for a name that is not registered."""
    module = import_module(f"{__name__}.{name}")
    loaded: type[Fusion] = getattr(module, FUSIONS[name])
    return loaded


def build_fusion(
    name: str, dims: Mapping[str, int], width: int = 256, theta: float = THETA, **options: Any
) -> Fusion:
    """Build the fusion of that name.

    Args:
        name: one of `FUSIONS`.
        dims: width d_m of each modality's vector.
        width: D, width of every level; not used by fusions whose levels have no free width.
        theta: offset of the similarity in eq. 5, in (0, 1); 0.5 for a fusion without one.
        options: those of the fusion's class, see `Fusion.options`.

    Raises:
        ValueError: for an unknown name or option, or a value out of range, listing what is allowed.
    """
    _check_name("fusion", name)
    fusion = fusion_class(name)
    _check_settings(name, fusion, theta, options)
    arguments = {"width": width, "theta": theta}
    return fusion(dims, **{key: arguments[key] for key in fusion.takes}, **options)


def check_fusion(name: str, theta: float, options: Mapping[str, Any]) -> None:
    """Check the section `fusion` of params.yaml; imports torch only if something is set.

    Raises:
        ValueError: for what `build_fusion` would refuse, naming the key.
    """
    _check_name("fusion.name", name)
    if options or theta != THETA:
        _check_settings(name, fusion_class(name), theta, options, "fusion.", "fusion.options.")


def _check_name(key: str, name: str) -> None:
    if name not in FUSIONS:
        guess = _guess(name, FUSIONS)
        raise ValueError(f"{key} is {name!r}{guess}; allowed: {', '.join(FUSIONS)}")


def _check_settings(
    name: str,
    fusion: type[Fusion],
    theta: float,
    options: Mapping[str, Any],
    prefix: str = "",
    option_prefix: str = "",
) -> None:
    if theta != THETA and "theta" not in fusion.takes:
        raise ValueError(f"{prefix}theta is {theta}, but {name} has no theta; leave it at {THETA}")
    for option in options:
        if option not in fusion.options:
            guess = _guess(option, fusion.options)
            known = ", ".join(fusion.options) or "no options"
            raise ValueError(f"unknown option {option_prefix}{option}{guess}; {name} has {known}")
    fusion.check_options(options, option_prefix)


def _guess(value: str, known: Collection[str]) -> str:
    close = get_close_matches(value, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
