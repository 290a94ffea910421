"""Multi-task learning: how the losses of several tasks become one step of one network.

To add a method, write one file with one `MultiTaskMethod`, and name it in METHODS.

>>> tasks = [Task("damage", classes=("no", "yes"), negative="no", head="sigmoid")]
>>> method = build_mtl("dmtl", tasks, positives={"damage": 20}, labelled={"damage": 100})
>>> method.weights
{'damage': 1.0}
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pipeline.mtl.task import Task

if TYPE_CHECKING:
    # Not at run time: parameters are checked without waiting for torch.
    import pipeline.mtl.method

__all__ = ["ALPHA", "BETA", "METHODS", "Task", "build_mtl", "check_mtl", "method_class"]

# Module in this folder -> its class.
METHODS = {"dmtl": "DMTL", "lsew": "LSEW", "moo": "MOO", "mtinet": "MTINet"}
ALPHA, BETA = 1.0, 2.0


def build_mtl(
    name: str,
    tasks: Sequence[Task],
    *,
    alpha: float = ALPHA,
    beta: float = BETA,
    positives: Mapping[str, int] | None = None,
    labelled: Mapping[str, int] | None = None,
    **options: Any,
) -> pipeline.mtl.method.MultiTaskMethod:
    """Return the multi-task method of that name.

    `positives` and `labelled` are the training set's counts for each task, see
    `inverse_distribution_ratios`; a method without use for them ignores them. Raises ValueError as
    `check_mtl` does.
    """
    check_mtl(name, options, alpha=alpha, beta=beta)
    method = method_class(name)
    values = {"alpha": alpha, "beta": beta, "positives": positives, "labelled": labelled}
    keywords: dict[str, Any] = {key: values[key] for key in method.takes}
    if method.heads is None:  # otherwise the options are those of the heads
        keywords |= options
    return method(tasks, **keywords)


def check_mtl(
    name: str, options: Mapping[str, Any], *, alpha: float = ALPHA, beta: float = BETA
) -> None:
    """Raise ValueError, naming the key of params.yaml, where a setting does not fit the method.

    A method without alpha or beta takes only their default. torch is imported only where the
    answer depends on the method's class.
    """
    if name not in METHODS:
        allowed = ", ".join(METHODS)
        raise ValueError(f"mtl.name is {name!r}{_suggestion(name, METHODS)}; allowed: {allowed}")
    for key, value, default in (("alpha", alpha, ALPHA), ("beta", beta, BETA)):
        if value != default and key not in method_class(name).takes:
            raise ValueError(f"mtl.{key} is {value}, but {name} has no {key}; set it to {default}")
    for key, value in options.items():
        known = method_class(name).options
        if key not in known:
            names = f"the options {', '.join(known)}" if known else "no options"
            raise ValueError(
                f"unknown key mtl.options.{key}{_suggestion(key, known)}; {name} has {names}"
            )
        _check_option(key, value, known[key])


def _check_option(key: str, value: Any, kind: tuple[str, ...] | type) -> None:
    if isinstance(kind, tuple):
        valid, allowed = value in kind, ", ".join(kind)
    else:
        types = (int, float) if kind is float else (int,)
        valid = type(value) in types and math.isfinite(value) and value > 0
        allowed = "a number above 0" if kind is float else "a whole number above 0"
    if not valid:
        raise ValueError(f"mtl.options.{key} is {value!r}; allowed: {allowed}")


def method_class(name: str) -> type[pipeline.mtl.method.MultiTaskMethod]:
    """Return the class of a method of METHODS."""
    method: type[pipeline.mtl.method.MultiTaskMethod] = getattr(
        import_module(f"pipeline.mtl.{name}"), METHODS[name]
    )
    return method


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
