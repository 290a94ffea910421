"""What an experiment on faults is, and the modules that define some."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The modules, and what the page calls them.
TOPICS = {
    "dvc_lock": "Killed runs",
    "full_cache": "Full disk of DVC's cache",
    "full_disk": "Full disk of a stage",
    "rot": "Flipped bits",
    "training_kills": "Killed trainings",
}


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


def experiments(topic: str) -> Sequence[Experiment]:
    """Return the experiments of a topic, the EXPERIMENTS of its module."""
    return importlib.import_module(f"tests.faults.{topic}").EXPERIMENTS
