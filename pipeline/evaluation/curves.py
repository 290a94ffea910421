"""Precision-recall curves and confusion tables as CSV, for `dvc plots`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve

from pipeline.evaluation.metrics import decide
from pipeline.evaluation.scores import Arrays
from pipeline.mtl import Task


def precision_recall(task: Task, truth: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Trace each class against the rest: columns class, recall, precision.

    A class without a positive has no curve; of a sigmoid task only the positive class is traced.
    """
    known = truth >= 0
    parts = []
    for code, label in list(enumerate(task.classes))[1 if task.head == "sigmoid" else 0 :]:
        hot = truth[known] == code
        if hot.any():
            precision, recall, _ = precision_recall_curve(hot, probabilities[known, code])
            points = {"class": label, "recall": recall, "precision": precision}
            parts.append(pd.DataFrame(points))
    return pd.concat(parts) if parts else pd.DataFrame(columns=["class", "recall", "precision"])


def write_curves(
    folder: Path,
    tasks: Sequence[Task],
    truth: Arrays,
    probabilities: Arrays,
    thresholds: Mapping[str, float],
) -> None:
    """Write `pr/<task>.csv` and `confusion/<task>.csv` (one row a labelled sample)."""
    for task in tasks:
        shown = probabilities[task.name]
        predicted = decide(task, shown, thresholds[task.name])
        known = truth[task.name] >= 0
        names = np.array(task.classes)
        pairs = {"actual": names[truth[task.name][known]], "predicted": names[predicted[known]]}
        _write(folder / "pr" / f"{task.name}.csv", precision_recall(task, truth[task.name], shown))
        _write(folder / "confusion" / f"{task.name}.csv", pd.DataFrame(pairs))


def read_curves(live: Path, group: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Read what DVCLive logged below a group: (name, table with columns step and the value)."""
    root = live / "plots" / "metrics" / group
    for path in sorted(root.rglob("*.tsv")):
        yield path.stem, pd.read_csv(path, sep="\t")


def _write(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n")
