"""Descriptions of tasks in tasks.json and labels.json."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.ground.checked_yaml import Section
from pipeline.ground.letters import LABEL
from pipeline.inputs.json_files import read_json
from pipeline.mtl import Task
from pipeline.mtl.task import Head

# Names of tasks and modalities become names of files: no separators, no leading dot.
Name = Annotated[str, Field(pattern=r"^[^\W_][\w-]*$", max_length=200)]
_Label = Annotated[str, Field(pattern=LABEL, max_length=200)]


class TaskEntry(Section):
    """One task, as `asdict(Task)` writes it."""

    name: Name
    classes: Annotated[list[_Label], Field(min_length=2, max_length=1000)]
    negative: _Label | None = None
    head: Head = "softmax"


TaskEntries = Annotated[list[TaskEntry], Field(min_length=1, max_length=1000)]


def load_tasks(path: Path) -> list[Task]:
    """Read tasks.json; raises ValueError naming the file and what is wrong."""
    entries = read_json(path, TaskEntries)
    try:
        return make_tasks(entries)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def make_tasks(entries: Iterable[TaskEntry]) -> list[Task]:
    """Return the tasks; raises ValueError for one that contradicts itself."""
    return [Task(e.name, tuple(e.classes), e.negative, e.head) for e in entries]
