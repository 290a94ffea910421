"""Multi-task learning: how the losses of several tasks become one step of one network.

>>> tasks = [Task("damage", classes=("no", "yes"), negative="no", head="sigmoid")]
>>> method = build_mtl("dmtl", tasks, positives={"damage": 20}, labelled={"damage": 100})
>>> method.weights
{'damage': 1.0}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

from pipeline.mtl.dmtl import DMTL
from pipeline.mtl.lsew import LSEW
from pipeline.mtl.method import MultiTaskMethod
from pipeline.mtl.moo import MOO
from pipeline.mtl.mtinet import MTINet
from pipeline.mtl.mtinet_heads import MTINetHeads
from pipeline.mtl.predictions import Objective, Predictions
from pipeline.mtl.task import Task

__all__ = [
    "DMTL",
    "LSEW",
    "METHODS",
    "MOO",
    "MTINet",
    "MTINetHeads",
    "MultiTaskMethod",
    "Objective",
    "Predictions",
    "Task",
    "build_mtl",
]

METHODS: dict[str, type[MultiTaskMethod]] = {
    "dmtl": DMTL,
    "lsew": LSEW,
    "moo": MOO,
    "mtinet": MTINet,
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
    """Return the multi-task method called `name`: dmtl, lsew, moo or mtinet.

    `alpha`, `beta`, `positives` and `labelled` belong to dmtl; the others have no use for them.
    `options` are the method's own keywords, described in its class. Raises ValueError for an
    unknown name, option or value, naming what is allowed.
    """
    if name not in METHODS:
        raise ValueError(f"mtl.name is {name!r}; allowed: {', '.join(sorted(METHODS))}")
    if name == "dmtl":
        options |= {"alpha": alpha, "beta": beta, "positives": positives, "labelled": labelled}
    method = METHODS[name]
    allowed = _options(method)
    if unknown := sorted(options.keys() - allowed):
        raise ValueError(
            f"{name} has no option {', '.join(unknown)}; allowed: {', '.join(allowed) or 'none'}"
        )
    return method(tasks, **options)


def _options(method: type[MultiTaskMethod]) -> list[str]:
    return [name for name in signature(method).parameters if name != "tasks"]
