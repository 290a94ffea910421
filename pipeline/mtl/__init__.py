"""Multi-task learning: how the losses of several tasks become one step of one network.

To add a method, write one file with one `MultiTaskMethod`, and name it in METHODS.

>>> tasks = [Task("damage", classes=("no", "yes"), negative="no", head="sigmoid")]
>>> method = build_mtl("dmtl", tasks, positives={"damage": 20}, labelled={"damage": 100})
>>> method.weights
{'damage': 1.0}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pipeline.mtl.task import Task

if TYPE_CHECKING:
    # Not at run time: parameters are checked without waiting for torch.
    from pipeline.mtl.method import MultiTaskMethod

__all__ = ["METHODS", "Task", "build_mtl", "method_class"]

# Module in this folder -> its class.
METHODS = {
    "dmtl": "DMTL",
    "focal": "Focal",
    "lsew": "LSEW",
    "moo": "MOO",
    "mtinet": "MTINet",
    "single": "Single",
    "uw": "UW",
    "dwa": "DWA",
    "gradnorm": "GradNorm",
    "pcgrad": "PCGrad",
    "cagrad": "CAGrad",
    "famo": "FAMO",
    "rlw": "RLW",
}


def build_mtl(
    name: str,
    tasks: Sequence[Task],
    *,
    alpha: float = 1.0,
    beta: float = 2.0,
    positives: Mapping[str, int] | None = None,
    labelled: Mapping[str, int] | None = None,
    **options: Any,
) -> MultiTaskMethod:
    """Return the multi-task method of that name.

    `alpha` and `beta` are the exponents of eqs 11 and 10, `positives` and `labelled` the training
    set's counts for each task, see `inverse_distribution_ratios`; a method without use for them
    ignores them. Raises ValueError for an unknown name, and for an option's value that is not
    allowed.
    """
    method = method_class(name)
    method.check_options(options)
    values = {"alpha": alpha, "beta": beta, "positives": positives, "labelled": labelled}
    keywords: dict[str, Any] = {key: values[key] for key in method.takes}
    if method.heads is None:  # otherwise the options are those of the heads
        keywords |= options
    return method(tasks, **keywords)


def method_class(name: str) -> type[MultiTaskMethod]:
    """Import and return the class of a name in `METHODS`."""
    if name not in METHODS:
        raise ValueError(f"unknown method {name!r}; allowed: {', '.join(METHODS)}")
    method: type[MultiTaskMethod] = getattr(import_module(f"{__name__}.{name}"), METHODS[name])
    return method
