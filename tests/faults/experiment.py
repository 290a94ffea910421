"""What an experiment on faults is, and the modules that define some."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Outcome:
    """How many tries there were, how many kept the promise, and figures worth a cell of text.

    Where the machine does not allow the experiment, there is no try, and the figures say why.
    """

    tried: int
    held: int
    figures: str = ""


@dataclass(frozen=True)
class Experiment:
    """A promise, and how to try it: `run(tries, scratch folder)`.

    `short` is the number of tries of the test suite (0: only in the long run), `long` that of
    `python -m tests.faults`.
    """

    promise: str
    short: int
    long: int
    run: Callable[[int, Path], Outcome]


def experiments(only: Iterable[str] = ()) -> dict[str, Sequence[Experiment]]:
    """Return each module's EXPERIMENTS by its topic, the module's name.

    With `only`, those topics alone; raises ValueError for an unknown one.
    """
    topics = sorted(p.stem for p in HERE.glob("*.py") if "\nEXPERIMENTS" in p.read_text("utf-8"))
    if unknown := sorted(set(only) - set(topics)):
        raise ValueError(f"unknown topic {unknown[0]!r}; allowed: {', '.join(topics)}")
    return {
        topic: importlib.import_module(f"tests.faults.{topic}").EXPERIMENTS
        for topic in topics
        if not only or topic in only
    }
