"""A posts manifest: one CSV row per post, and the tasks in its columns."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from re import search
from typing import Annotated, Any, ClassVar

import pandas as pd
from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from pipeline.ground.checked_yaml import CONTRADICTION, Section, did_you_mean, load_checked
from pipeline.ground.data_set import SEPARATOR
from pipeline.ground.letters import LABEL
from pipeline.ground.messages import UNSAFE
from pipeline.inputs.manifest import (
    YES_OR_NO,
    check_ids,
    check_names,
    read_labels,
    read_span,
    refuse_rounded,
)
from pipeline.inputs.tables import is_missing, read_table, refuse

MANIFEST, TASKS = "posts.csv", "tasks.yaml"
CONTENT = ("text", "image", "video")
# Every other column is a task. `time` and `language` are for people; nothing depends on them.
COLUMNS = ("id", *CONTENT, "start", "end", "group", "time", "language")
PATHS = "a path below the manifest's folder, with / between folders"

ClassName = Annotated[str, Field(pattern=LABEL, max_length=100)]


class TaskParams(Section):
    """The classes of a task; `negative` is the one that means no."""

    classes: Annotated[list[ClassName], Field(min_length=2)]
    negative: ClassName | None = None

    @model_validator(mode="after")
    def _check(self) -> TaskParams:
        if len(set(self.classes)) < len(self.classes):
            raise PydanticCustomError(CONTRADICTION, "classes names a class twice; remove one")
        if self.negative is not None and self.negative not in self.classes:
            close = did_you_mean(self.negative, self.classes)
            raise PydanticCustomError(
                CONTRADICTION,
                f"negative is {self.negative!r}{close}; allowed: {', '.join(self.classes)}",
            )
        return self


class TaskFile(Section):
    """tasks.yaml: the tasks whose labels are class names."""

    others: ClassVar[type[Section]] = TaskParams
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, TaskParams]


def read_posts(path: Path) -> pd.DataFrame:
    """Read and check a posts manifest, without its labels.

    All of `COLUMNS` come back, null where empty or not in the file, `start` and `end` in seconds;
    further columns follow as text. An image may be several paths with `;` between them. Raises
    ValueError naming file, row and column.
    """
    table = read_table(path, quoting=True, required=["id"])
    if table.empty:
        raise ValueError(f"{path}: no post; add one row per post below the header")
    if not set(CONTENT) & set(table.columns):
        raise ValueError(f"{path}: no column text, image or video; add at least one of them")
    check_ids(path, table["id"])
    table = table.reindex(columns=[*COLUMNS, *task_names(table)], fill_value="")
    for name in COLUMNS[1:]:
        table[name] = table[name].mask(is_missing(table[name]), "")
    refuse_rounded(path, table["group"])
    still, moving = table["image"] != "", table["video"] != ""
    outside = ~table["image"].map(lambda value: all(map(_is_local, image_paths(value))))
    refuse(path, table["image"], outside, f"{PATHS}, or several with {SEPARATOR!r} between them")
    outside = moving & ~table["video"].map(_is_local)
    allowed = f"{PATHS}. Addresses are for a manifest of clips (docs/youtube.md)"
    refuse(path, table["video"], outside, allowed)
    both = "either an image or a video; give the other a row of its own"
    refuse(path, table["video"], still & moving, both)
    for name in ("start", "end"):
        refuse(path, table[name], (table[name] != "") & ~moving, "empty, where there is no video")
    table = table.assign(**read_span(path, table))
    for name in (*CONTENT, "group", "time", "language"):
        table[name] = table[name].astype(object).where(table[name] != "", None)
    return table


def read_labelled_posts(path: Path) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Read a posts manifest with its labels as nullable integers, and the tasks.

    A task declared in the `tasks.yaml` beside it has class names; any other has 1, 0 or empty, and
    is a sigmoid task. Raises ValueError as `read_posts` does, and for a manifest without a task.
    """
    table, declared = read_posts(path), _read_tasks(path)
    names = task_names(table)
    if not names:
        raise ValueError(
            f"{path}: no task column; add one per task, of 1, 0 and empty, or of class names that "
            f"{TASKS} beside it declares"
        )
    check_names(path, names)
    if unused := [name for name in declared if name not in names]:
        close = did_you_mean(unused[0], names)
        raise ValueError(
            f"{path.with_name(TASKS)}: task {unused[0]!r} is no column of {path.name}{close}; "
            f"its tasks: {', '.join(names)}"
        )
    tasks = []
    for name in names:
        if name in declared:
            table[name] = _codes(path, table[name], declared[name].classes)
            tasks.append({"name": name, **declared[name].model_dump(exclude_none=True)})
        else:
            table[name] = read_labels(path, table[name], f", or a class declared in {TASKS}")
            tasks.append({"name": name, **YES_OR_NO})
    return table, tasks


def task_names(table: pd.DataFrame) -> list[str]:
    """Name the columns that are tasks, in the file's order."""
    return [name for name in table.columns if name not in COLUMNS]


def image_paths(value: str) -> list[str]:
    """Divide a value of the column image into its paths."""
    return [path.strip() for path in value.split(SEPARATOR)] if value else []


def _is_local(path: str) -> bool:
    # A manifest from others must not name files outside of its folder.
    parts = PurePosixPath(path).parts
    below = bool(parts) and not path.startswith("/") and ".." not in parts
    return below and "://" not in path and not search(rf"\\|{UNSAFE}", path)


def _read_tasks(path: Path) -> dict[str, TaskParams]:
    file = path.with_name(TASKS)
    return load_checked(file, TaskFile).__pydantic_extra__ if file.exists() else {}


def _codes(path: Path, column: pd.Series, classes: list[str]) -> pd.Series:
    """Return each class's number; null where there is no label."""
    texts = column.str.strip()
    numbers = texts.map({name: code for code, name in enumerate(classes)}).astype("Int64")
    strange = numbers.isna() & ~is_missing(texts)
    if strange.any():
        close = did_you_mean(texts[strange].iloc[0], classes)
        refuse(path, column, strange, f"{', '.join(classes)}, or empty{close}")
    return numbers
