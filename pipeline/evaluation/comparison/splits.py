"""The splits of a comparison, and what can be learnt in all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipeline.datasets.split import check_no_leak, event_split, grouped_split
from pipeline.evaluation.comparison.cells import Problem
from pipeline.evaluation.comparison.subject import Subject
from pipeline.evaluation.scores import select, unscored
from pipeline.mtl import Task
from pipeline.training.examples import UNKNOWN

NO_SIDE = ""


@dataclass(frozen=True)
class Splits:
    """A split [n] for each seed: train, val, test, or NO_SIDE.

    With `events`, seed k is the split that tests on events[k]. `overlap` is n_test / n_train where
    each seed has a random split, else 0. `note` says what the splits and intervals are.
    """

    sides: Mapping[int, np.ndarray]
    note: str
    overlap: float = 0.0
    events: tuple[str, ...] = ()

    def named(self, *seeds: int) -> str:
        """Name one seed or several in messages."""
        names = [self.events[seed] if self.events else str(seed) for seed in seeds]
        return ", ".join(names)

    @property
    def unit(self) -> str:
        """What there is one split for."""
        return "event" if self.events else "seed"


@dataclass(frozen=True)
class Omitted:
    """What all splits leave out because one cannot learn it, with the first such seed."""

    tasks: Mapping[str, int]
    classes: Mapping[tuple[str, str], int]
    views: Mapping[str, int]


def seed_splits(subject: Subject, seeds: int) -> Splits:
    """Give each seed the subject's own split, or one of its own.

    The latter is 60/20/20 over whole groups, stratified by all labels; that of seed 0 is the split
    of the pipeline. Raises ValueError if the own split divides a group.
    """
    if subject.split is not None:
        table = pd.DataFrame({"group": subject.groups.astype(str), "split": subject.split})
        check_no_leak(table, {})
        note = (
            f"Seeds: {seeds}, each with the file's one split. Intervals: t over the seeds, which "
            "does not say how much another split would change."
        )
        return Splits(dict.fromkeys(range(seeds), subject.split), note)
    groups, labels = pd.Series(subject.groups), _labels(subject)
    sides = {seed: grouped_split(groups, labels, seed).to_numpy(str) for seed in range(seeds)}
    ratios = [(split == "test").sum() / (split == "train").sum() for split in sides.values()]
    overlap = float(np.mean(ratios))
    note = (
        f"Seeds: {seeds}, each with a 60/20/20 split of its own. Intervals: t with variance "
        f"(1/{seeds} + {overlap:.2f}) s^2, since the splits share rows (Nadeau and Bengio 2003)."
    )
    return Splits(sides, note, overlap)


def event_splits(subject: Subject) -> Splits:
    """Make each event the test side once.

    A row of another event is on no side if its group is in the test event too; a row without an
    event is never tested. See `event_split` for the rest. Raises ValueError where there are fewer
    than two events.
    """
    events = subject.events
    if events is None or not (events != "").any():
        raise ValueError(
            "no row has an event; leave out --by event (a set of tweets has "
            "events after `dvc repro`, clips and .npz files have none)"
        )
    names = tuple(np.unique(events[events != ""]).tolist())
    if len(names) < 2:
        raise ValueError(f"all rows are of {names[0]}; leave out --by event")
    sides = {number: _event_split(subject, event) for number, event in enumerate(names)}
    sizes = ", ".join(
        f"{name} {(split == 'test').sum():,} ({(split == NO_SIDE).sum()})"
        for name, split in zip(names, sides.values(), strict=True)
    )
    note = (
        f"Events: {len(names)}, each the test side once, with its rows (and those of other events "
        f"left out since their group is in it): {sizes}. Intervals: t over the events, which count "
        "alike whatever their size; they are few, and training on the others shares rows, so an "
        "interval says little of a further event."
    )
    return Splits(sides, note, events=names)


def _event_split(subject: Subject, event: str) -> np.ndarray:
    events, groups = pd.Series(subject.events), pd.Series(subject.groups)
    try:
        split = event_split(events, groups, _labels(subject), event)
    except ValueError as error:
        raise ValueError(f"without {event}: {error}") from None
    return split.fillna(NO_SIDE).to_numpy(str)


def _labels(subject: Subject) -> pd.DataFrame:
    labels = pd.DataFrame(subject.problem.examples.targets)
    return labels.mask(labels < 0).astype("Int64")


def divide(subject: Subject, splits: Splits) -> tuple[Problem, Omitted]:
    """Return the problem with the splits, without what cannot be learnt in all of them.

    A class, view or task that one split cannot learn is left out of all: a class or view that no
    training row has (rows of the class become unknown), and a task with fewer than two classes
    left. Raises ValueError where nothing is left to learn or to score.
    """
    problem = subject.problem
    omitted = _omitted(problem, splits)
    views = [name for name in problem.examples.sequences if name not in omitted.views]
    if not views:
        raise ValueError("no view is there in the training rows of every split")
    tasks, targets = list[Task](), dict[str, np.ndarray]()
    for task in problem.tasks:
        if task.name not in omitted.tasks:
            classes = [c for c in task.classes if (task.name, c) not in omitted.classes]
            truth = problem.examples.targets[task.name]
            changed, targets[task.name] = _with_classes(task, truth, classes)
            tasks.append(changed)
    if not tasks:
        raise ValueError("no label has positives and negatives among the training rows")
    examples = replace(problem.examples.keep(views), targets=targets)
    problem = replace(problem, examples=examples, tasks=tuple(tasks), splits=splits.sides)
    _check_sides(problem, splits)
    return problem, omitted


def _omitted(problem: Problem, splits: Splits) -> Omitted:
    classes, views = dict[tuple[str, str], int](), dict[str, int]()
    for seed, split in splits.sides.items():
        train = split == "train"
        for name in problem.examples.sequences:
            if not problem.examples.present(name)[train].any():
                views.setdefault(name, seed)
        for task in problem.tasks:
            there = problem.examples.targets[task.name][train]
            for code in np.setdiff1d(np.arange(len(task.classes)), there):
                classes.setdefault((task.name, task.classes[code]), seed)
    tasks = {}
    for task in problem.tasks:
        seeds = sorted(seed for (name, _), seed in classes.items() if name == task.name)
        if len(task.classes) - len(seeds) < 2:
            tasks[task.name] = seeds[len(task.classes) - 2]
    classes = {key: seed for key, seed in classes.items() if key[0] not in tasks}
    return Omitted(tasks, classes, views)


def _with_classes(task: Task, truth: np.ndarray, classes: Sequence[str]) -> tuple[Task, np.ndarray]:
    """Restrict a task to some of its classes, and make the rows of the others unknown."""
    codes = np.full(len(task.classes) + 1, UNKNOWN)  # the last one is that of UNKNOWN itself
    codes[[task.classes.index(name) for name in classes]] = np.arange(len(classes))
    negative = task.negative if task.negative in classes else None
    return replace(task, classes=tuple(classes), negative=negative), codes[truth]


def _check_sides(problem: Problem, splits: Splits) -> None:
    for seed, split in splits.sides.items():
        for side in ("val", "test"):
            truth = select(problem.examples.targets, np.flatnonzero(split == side))
            if len(unscored(problem.tasks, truth)) == len(problem.tasks):
                where = f"{splits.unit} {splits.named(seed)}: " if splits.events else ""
                cure = "; label some, or leave the event out of the source" if where else ""
                raise ValueError(f"{where}no {side} row has a positive of any label{cure}")


def omitted_notes(omitted: Omitted, splits: Splits) -> list[str]:
    """Say what is left out, and the first seed or event with which it cannot be learnt."""
    where = {seed: f"({splits.unit} {splits.named(seed)})" for seed in splits.sides}
    kinds = {
        "left out (a training side has rows of one class of it at most)": [
            f"{name} {where[seed]}" for name, seed in omitted.tasks.items()
        ],
        "classes left out, their rows unknown (a training side has none of it)": [
            f"{label} of {name} {where[seed]}" for (name, label), seed in omitted.classes.items()
        ],
        "views left out (no row of a training side has it)": [
            f"{name} {where[seed]}" for name, seed in omitted.views.items()
        ],
    }
    return [f"{kind}: {', '.join(listed)}" for kind, listed in kinds.items() if listed]
