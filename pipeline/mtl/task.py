"""A task: its name, its classes, and the shape of its head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Head = Literal["softmax", "sigmoid"]


@dataclass(frozen=True)
class Task:
    """One thing to predict for each sample; a label is an index into `classes`, or -1: unknown.

    `negative` is the class that means "nothing of this concept here"; the paper's n_f (eq. 11)
    counts the samples of the other classes. A "sigmoid" head has one logit, for `classes[1]`;
    a "softmax" head has one logit per class. Raises ValueError naming the task where the
    declaration contradicts itself.
    """

    name: str
    classes: tuple[str, ...]
    negative: str | None = None
    head: Head = "softmax"

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a task has an empty name; give it one")
        if problem := self._problem():
            raise ValueError(f"task {self.name!r}: {problem}")

    def _problem(self) -> str | None:
        if len(self.classes) < 2:
            return f"classes are {self.classes}; at least two are needed"
        if not all(self.classes) or len(set(self.classes)) < len(self.classes):
            return f"classes are {self.classes}; each needs a name of its own"
        if self.head not in get_args(Head):
            return f"head is {self.head!r}; allowed: {', '.join(get_args(Head))}"
        if self.negative is not None and self.negative not in self.classes:
            return f"negative is {self.negative!r}, which is none of its classes {self.classes}"
        if self.head == "sigmoid" and len(self.classes) != 2:
            return f"a sigmoid head needs two classes, not {len(self.classes)}; use softmax"
        if self.head == "sigmoid" and self.negative == self.classes[1]:
            return (
                f"a sigmoid head predicts classes[1], but {self.negative!r} is declared negative; "
                "put the negative class first"
            )
        return None

    @property
    def outputs(self) -> int:
        """Number of logits, C_f."""
        return 1 if self.head == "sigmoid" else len(self.classes)

    @property
    def binary(self) -> bool:
        """Whether the task has two classes."""
        return len(self.classes) == 2

    @property
    def positive(self) -> int | None:
        """Index of a binary task's positive class (the one not negative, else 1), or None."""
        if not self.binary:
            return None
        return 0 if self.negative == self.classes[1] else 1


def check_tasks(tasks: tuple[Task, ...]) -> None:
    """Raise ValueError if there is no task, or two share a name."""
    if not tasks:
        raise ValueError("tasks is empty; at least one task is needed")
    names = [task.name for task in tasks]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"task names must differ; repeated: {', '.join(repeated)}")
