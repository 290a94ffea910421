"""CrisisMMD's concepts as one task each, or as one task for each of their classes."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd

Layout = Literal["grouped", "binary"]


def one_task_a_class(
    table: pd.DataFrame, tasks: list[dict[str, Any]]
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Replace each softmax task's column by a yes-or-no column a class, `<task>_<class>`.

    The paper's introduction reads so; its tables read as one task a concept. An unknown label is
    unknown for all of its classes.
    """
    binary = []
    for task in tasks:
        column = table.pop(task["name"])
        for code, name in enumerate(task["classes"]):
            label = f"{task['name']}_{name}"
            table[label] = (column == code).astype("Int64").where(column.notna())
            binary.append(
                {"name": label, "classes": ("no", "yes"), "negative": "no", "head": "sigmoid"}
            )
    return table, binary
