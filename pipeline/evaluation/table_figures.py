"""One picture a table: each row's mean and interval, and what the paper prints."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.evaluation.table_text import ROMAN
from pipeline.evaluation.tables import SETS, Column, Table, row_title

_OURS, _PAPER = "#1f4e79", "#c55a11"


def draw_table(path: Path, table: Table, compared: pd.DataFrame) -> None:
    """Draw a panel a column, a line a row: dot and bar ours, diamond the paper's."""
    width = min(len(table.columns), 4)
    height = -(-len(table.columns) // width)
    rows = list(dict.fromkeys(compared["row"]))
    figure = Figure((2.9 * width + 1.4, height * (0.3 * len(rows) + 1.1)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(height, width, squeeze=False, sharey=True)
    for ax in axes.flat[len(table.columns) :]:
        ax.set_visible(False)
    for ax, column in zip(axes.flat, table.columns, strict=False):
        _draw_column(ax, column, compared, rows)
    figure.suptitle(f"Table {ROMAN[table.number]}: {table.title} ({SETS[table.data]})", fontsize=11)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    # Without the writer's version in it, the file depends on the picture alone.
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _draw_column(ax: Axes, column: Column, compared: pd.DataFrame, rows: list[str]) -> None:
    mine = (compared["task"] == column.task) & (compared["score"] == column.score)
    lines = compared[mine].set_index("row").loc[rows]
    places = list(range(len(rows)))
    ax.hlines(places, lines["low"], lines["high"], color=_OURS, linewidth=2, alpha=0.55)
    label = "mean over seeds, 95 % interval"
    ax.plot(lines["mean"], places, "o", color=_OURS, markersize=5, label=label)
    printed = "printed in the paper"
    ax.plot(lines["paper"], places, "D", color=_PAPER, fillstyle="none", label=printed)
    lower = " (lower is better)" if column.score == "hl" else ""
    ax.set_title(f"{column.label}{lower}", fontsize=9)
    ax.set_yticks(places, [row_title(row) for row in rows], fontsize=8)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(-0.02, 1.02)
    ax.tick_params(axis="x", labelsize=8)
    ax.grid(axis="x", alpha=0.3)
