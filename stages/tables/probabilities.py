"""A cell's probabilities on disk: one row a sample, a column `<task>.p.<class>` a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.mtl import Task


def write_probabilities(
    path: Path, tasks: Sequence[Task], ids: Sequence[str], found: Mapping[str, np.ndarray]
) -> None:
    """Write the probabilities [n, classes] of each task."""
    columns = {
        column: found[task.name][:, code]
        for task in tasks
        for code, column in enumerate(_columns(task))
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"id": list(ids), **columns}).to_parquet(path, index=False)


def read_probabilities(
    path: Path, tasks: Sequence[Task]
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Read ids and, of the tasks that were trained, their probabilities [n, classes]."""
    table = pd.read_parquet(path)
    trained = [task for task in tasks if set(_columns(task)) <= set(table.columns)]
    return table["id"].tolist(), {task.name: table[_columns(task)].to_numpy() for task in trained}


def _columns(task: Task) -> list[str]:
    return [f"{task.name}.p.{label}" for label in task.classes]
