"""Pictures for people: learning curves, task weights, precision-recall, confusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.evaluation.curves import precision_recall, read_curves
from pipeline.evaluation.metrics import confusion, decide
from pipeline.evaluation.scores import Arrays
from pipeline.mtl import Task

_PANEL = (4.2, 3.4)  # inches


def draw_figures(
    folder: Path,
    live: Path,
    tasks: Sequence[Task],
    truth: Arrays,
    probabilities: Arrays,
    thresholds: Mapping[str, float],
) -> None:
    """Draw learning.png, weights.png, precision_recall.png and confusion.png."""
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder / "learning.png", _learning(live))
    _save(folder / "weights.png", _weights(live))
    curves, axes = _panels(len(tasks))
    for ax, task in zip(axes, tasks, strict=True):
        _draw_precision_recall(ax, task, truth, probabilities)
    _save(folder / "precision_recall.png", curves)
    tables, axes = _panels(len(tasks))
    for ax, task in zip(axes, tasks, strict=True):
        _draw_confusion(ax, task, truth, probabilities, thresholds)
    _save(folder / "confusion.png", tables)


def _learning(live: Path) -> Figure:
    figure, axes = _panels(2)
    for ax, side in zip(axes, ("train", "validation"), strict=True):
        for name, table in read_curves(live, f"loss/{side}"):
            ax.plot(table["step"], table[name], label=name)
        ax.set(title=f"{side} loss", xlabel="epoch", ylabel="unweighted task loss")
        ax.legend(fontsize=7)
    return figure


def _weights(live: Path) -> Figure:
    figure, (ax,) = _panels(1)
    for name, table in read_curves(live, "weight"):
        ax.plot(table["step"], table[name], label=name)
    ax.set(title="task weights", xlabel="epoch", ylabel="$w_f$")
    ax.legend(fontsize=7)
    return figure


def _draw_precision_recall(ax: Axes, task: Task, truth: Arrays, probabilities: Arrays) -> None:
    curves = precision_recall(task, truth[task.name], probabilities[task.name])
    for label, curve in curves.groupby("class", sort=False):
        ax.plot(curve["recall"], curve["precision"], label=label)
    ax.set(title=task.name, xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    if len(curves):
        ax.legend(fontsize=6)


def _draw_confusion(
    ax: Axes, task: Task, truth: Arrays, probabilities: Arrays, thresholds: Mapping[str, float]
) -> None:
    predicted = decide(task, probabilities[task.name], thresholds[task.name])
    counts = confusion(task, truth[task.name], predicted)
    ax.imshow(counts, cmap="Blues")
    for (row, column), count in [
        ((r, c), n) for r, line in enumerate(counts) for c, n in enumerate(line)
    ]:
        dark = count > counts.max() / 2
        ax.text(
            column, row, str(count), ha="center", va="center", color="white" if dark else "black"
        )
    labels = [label.replace("_", " ") for label in task.classes]
    ax.set_xticks(range(len(labels)), labels, rotation=35, ha="right", fontsize=6)
    ax.set_yticks(range(len(labels)), labels, fontsize=6)
    ax.set(title=task.name, xlabel="predicted", ylabel="true")


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(count, 4)
    rows = -(-count // columns)
    figure = Figure((_PANEL[0] * columns, _PANEL[1] * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes[count:]:
        ax.set_visible(False)
    return figure, axes[:count]


def _save(path: Path, figure: Figure) -> None:
    # Without the writer's version in it, the file depends on the picture alone.
    figure.savefig(path, dpi=110, metadata={"Software": None})
