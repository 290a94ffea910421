"""A model's plots: CSV files for `dvc plots`, and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay, precision_recall_curve

from pipeline.evaluation.scores import Arrays, decide
from pipeline.ground.csv_tables import write_csv
from pipeline.ground.temporaries import written_whole
from pipeline.mtl import Task


def write_plots(
    folder: Path,
    tasks: Sequence[Task],
    truth: Arrays,
    probabilities: Arrays,
    thresholds: Mapping[str, float],
) -> None:
    """Write `evaluation/{pr,confusion}/<task>.csv` and the pictures `figures/*.png`.

    `truth[task]` [n] (-1: unknown) and `probabilities[task]` [n, classes] are those of the test
    rows; the training curves are read from `folder`/live, where DVCLive logged them.
    """
    precision, precision_axes = panels(len(tasks))
    confusion, confusion_axes = panels(len(tasks))
    for task, left, right in zip(tasks, precision_axes, confusion_axes, strict=True):
        labels, scores = truth[task.name], probabilities[task.name]
        curves = precision_recall(task, labels, scores)
        decisions = _decisions(task, labels, decide(task, scores, thresholds[task.name]))
        write_csv(folder / "evaluation" / "pr" / f"{task.name}.csv", curves)
        write_csv(folder / "evaluation" / "confusion" / f"{task.name}.csv", decisions)
        _draw_precision_recall(left, task, curves)
        _draw_confusion(right, task, decisions)
    losses, axes = panels(2)
    for ax, side in zip(axes, ("train", "validation"), strict=True):
        _draw_epochs(ax, folder / "live", f"loss/{side}", f"{side} loss", "unweighted task loss")
    weights, (ax,) = panels(1)
    _draw_epochs(ax, folder / "live", "weight", "task weights", "$w_f$")
    save(folder / "figures" / "precision_recall.png", precision)
    save(folder / "figures" / "confusion.png", confusion)
    save(folder / "figures" / "learning.png", losses)
    save(folder / "figures" / "weights.png", weights)


def precision_recall(task: Task, truth: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Trace each class against the rest: columns class, recall, precision.

    A class without a positive has no curve; for a sigmoid task only the positive class is traced.
    """
    known = truth >= 0
    curves = [pd.DataFrame(columns=["class", "recall", "precision"])]
    for code, label in list(enumerate(task.classes))[1 if task.head == "sigmoid" else 0 :]:
        hot = truth[known] == code
        if hot.any():
            precision, recall, _ = precision_recall_curve(hot, probabilities[known, code])
            points = {"class": label, "recall": recall, "precision": precision}
            curves.append(pd.DataFrame(points))
    return pd.concat(curves[1:] or curves)


def _decisions(task: Task, truth: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    known, names = truth >= 0, np.array(task.classes)
    return pd.DataFrame({"actual": names[truth[known]], "predicted": names[predicted[known]]})


def _draw_epochs(ax: Axes, live: Path, group: str, title: str, label: str) -> None:
    for path in sorted((live / "plots" / "metrics" / group).rglob("*.tsv")):
        table = pd.read_csv(path, sep="\t")
        ax.plot(table["step"], table[path.stem], label=path.stem)
    ax.set(title=title, xlabel="epoch", ylabel=label)
    ax.legend(fontsize=7)


def _draw_precision_recall(ax: Axes, task: Task, curves: pd.DataFrame) -> None:
    for label, curve in curves.groupby("class", sort=False):
        ax.plot(curve["recall"], curve["precision"], label=label)
    ax.set(title=task.name, xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    if len(curves):
        ax.legend(fontsize=6)


def _draw_confusion(ax: Axes, task: Task, decisions: pd.DataFrame) -> None:
    ax.set_title(task.name)
    if decisions.empty:  # scikit-learn refuses an empty table
        return
    ConfusionMatrixDisplay.from_predictions(
        decisions["actual"],
        decisions["predicted"],
        labels=task.classes,
        display_labels=[label.replace("_", " ") for label in task.classes],
        cmap="Blues",
        colorbar=False,
        ax=ax,
    )
    ax.tick_params(labelsize=6)
    for text in ax.get_xticklabels():
        text.set(rotation=35, ha="right")


def panels(
    count: int, width: float = 4.2, height: float = 3.4, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """Lay out panels of `width` x `height` inches, at most four in a row."""
    columns = min(count, 4)
    rows = -(-count // columns)
    figure = Figure((width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=sharey).flat)
    for ax in axes[count:]:
        ax.set_visible(False)
    return figure, axes[:count]


def save(path: Path, figure: Figure) -> None:
    """Write a picture whose bytes do not depend on matplotlib's version string."""
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
