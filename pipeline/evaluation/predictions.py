"""Every sample's labels, decisions and probabilities in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.evaluation.scores import Arrays, decide
from pipeline.mtl import Task
from pipeline.training.examples import UNKNOWN, Examples


def prediction_table(
    tasks: Sequence[Task],
    examples: Examples,
    probabilities: Arrays,
    thresholds: Mapping[str, float],
) -> pd.DataFrame:
    """Build one row a sample, of every split.

    For each task: `<task>` (label, null if unknown), `<task>.predicted`, and `<task>.p.<class>`.
    """
    columns: dict[str, object] = {"id": examples.ids, "split": examples.split}
    for task in tasks:
        truth = pd.Series(examples.targets[task.name]).astype("Int64")
        columns[task.name] = truth.mask(truth == UNKNOWN)
        shown = probabilities[task.name]
        columns[f"{task.name}.predicted"] = decide(task, shown, thresholds[task.name])
        for code, label in enumerate(task.classes):
            columns[f"{task.name}.p.{label}"] = shown[:, code]
    return pd.DataFrame(columns)
