"""The comparison as a picture: mean MAP a row, with its interval over seeds."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_REFERENCE, _LINEAR, _OTHER = "#c1272d", "#1f5fa8", "#6b6b6b"


def draw_comparison(path: Path, table: pd.DataFrame, title: str, reference: str) -> None:
    """Draw one dot a row, best at the top, the 95 % interval of its mean around it."""
    # Inches: room for the names, and a line of text a row.
    figure = Figure((8, 1.3 + 0.21 * len(table)), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    for height, (_, line) in enumerate(table[::-1].iterrows()):
        colour = _colour(str(line["row"]), reference)
        ax.plot([line["map_low"], line["map_high"]], [height, height], color=colour, lw=1.6)
        ax.plot(line["map"], height, "o", color=colour, ms=5)
    ax.set_yticks(range(len(table)), table["row"][::-1], fontsize=9)
    for label in ax.get_yticklabels():
        label.set_color(_colour(label.get_text(), reference))
    best = table.loc[table["row"] == reference, "map"].iloc[0]
    ax.axvline(best, color=_REFERENCE, lw=0.8, ls=":", zorder=0)
    seeds = int(table["seeds"].iloc[0])
    told = f"mean over {seeds} seeds, 95 % t-interval" if seeds > 1 else "one seed, no interval"
    figure.suptitle("\n".join(wrap(title, 95)), fontsize=10)
    ax.set(xlabel=f"test MAP ({told})", ylim=(-0.6, len(table) - 0.4))
    ax.grid(axis="x", color="#dddddd", lw=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    # Without the writer's version in it, the file depends on the picture alone.
    figure.savefig(path, dpi=130, metadata={"Software": None})


def _colour(row: str, reference: str) -> str:
    if row == reference:
        return _REFERENCE
    return _LINEAR if row.startswith("logistic regression") else _OTHER
