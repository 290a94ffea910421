"""A comparison as a table (CSV and Markdown) and as a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from pipeline.evaluation.comparison.cells import Settings, Training
from pipeline.evaluation.comparison.estimates import Estimate, Estimates
from pipeline.evaluation.comparison.rows import Row, title_of
from pipeline.evaluation.plots import panels, save
from pipeline.ground.csv_tables import write_csv
from pipeline.ground.temporaries import write_text
from pipeline.models.fusion import fusion_class
from pipeline.mtl import method_class

NOTHING = "–"  # noqa: RUF001 - a dash that cannot be mistaken for a minus
_LOWER_IS_BETTER = ("hl", "hamming_loss")
# Further columns of a row by name.
Facts = Mapping[str, int | float | str]
# One line of `scores` by column, and such lines by row.
Line = Mapping[Any, Any]
Lines = Mapping[Row, Sequence[Line]]
_OURS, _PAPER, _REFERENCE = "#1f4e79", "#c55a11", "#c1272d"


@dataclass(frozen=True)
class Column:
    """One score of one task (or of all, MEAN), and the paper's value for it by row's name."""

    task: str
    score: str
    label: str
    paper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """The estimates of each row, in the order of the rows, compared with those of `references`.

    `facts[row]` holds further columns, the same for each row. The rows of `ablation` have a table
    of their own after the others, and the columns of `details` one for each task; differences of
    the latter are only in the CSV. A picture shows the other columns and marks the first reference.
    """

    title: str
    columns: Sequence[Column]
    rows: Mapping[Row, Estimates]
    facts: Mapping[Row, Facts]
    references: Sequence[Row]
    notes: Sequence[str]
    ablation: Sequence[Row] = ()
    details: Sequence[Column] = ()


def write_report(report: Report, folder: Path, pictures: Path, name: str) -> None:
    """Write <name>.csv and <name>.md into `folder`, <name>.png into `pictures`."""
    table = scores(report)
    facts = pd.DataFrame([{"row": row.name, **f} for row, f in report.facts.items()])
    merged = table.merge(facts, on="row", validate="many_to_one")
    write_csv(folder / f"{name}.csv", merged)
    write_text(folder / f"{name}.md", _markdown(report, table))
    _draw(pictures / f"{name}.png", report, table)


def scores(report: Report) -> pd.DataFrame:
    """Build one line per row and column: the score, its interval, its differences, the paper's.

    The paired differences to a reference are in the columns `minus_<reference>_mean`, `_low` and
    `_high`; they are missing in its own line.
    """
    lines = []
    for column in [*report.columns, *report.details]:
        values = {row: e[column.task, column.score] for row, e in report.rows.items()}
        for row, value in values.items():
            line: dict[str, Any] = {"row": row.name, "task": column.task, "score": column.score}
            line |= {**_interval("", value), "sd": value.sd}
            for other in report.references:
                difference = None if other == row else value - values[other]
                line |= _interval(f"minus_{other.name}_", difference)
            lines.append(line | {"paper": column.paper.get(row.name, math.nan)})
    return pd.DataFrame(lines)


def _interval(prefix: str, value: Estimate | None) -> dict[str, float]:
    mean, (low, high) = (value.mean, value.interval) if value else (math.nan, [math.nan] * 2)
    return {f"{prefix}mean": mean, f"{prefix}low": low, f"{prefix}high": high}


def _markdown(report: Report, table: pd.DataFrame) -> str:
    """Write the scores, then the paired differences to each reference, then the notes."""
    by_key = {(line["row"], line["task"], line["score"]): line for line in table.to_dict("records")}
    lines = {
        row: [by_key[row.name, column.task, column.score] for column in report.columns]
        for row in report.rows
    }
    ablation = {row: lines[row] for row in report.ablation}
    others = {row: of_row for row, of_row in lines.items() if row not in ablation}
    parts = [f"# {report.title}", _score_grid(report, others)]
    if ablation:
        parts += ["## Ablation and controls", _score_grid(report, ablation)]
    for other in report.references:
        parts.append(f"## Paired differences to {other.title}")
        parts.append(_difference_grid(report, lines, f"minus_{other.name}"))
    for task in dict.fromkeys(column.task for column in report.details):
        columns = [column for column in report.details if column.task == task]
        body = []
        for row in report.rows:
            own = [by_key[row.name, task, column.score] for column in columns]
            body.append([row.title, *map(_score, own)])
        parts += [f"## {task}", grid(["Method", *(column.label for column in columns)], body)]
    parts.append("\n".join(f"- {note}" for note in report.notes))
    return "\n\n".join(parts) + "\n"


def _score_grid(report: Report, lines: Lines) -> str:
    printed = any(not math.isnan(line["paper"]) for of_row in lines.values() for line in of_row)
    header = ["Method"]
    for column in report.columns:
        header += [column.label, "paper"] if printed else [column.label]
    header += [name.replace("_", " ") for name in next(iter(report.facts.values()))]
    body = []
    for row, of_row in lines.items():
        cells = [row.title]
        for line in of_row:
            cells += [_score(line), _paper(line)] if printed else [_score(line)]
        body.append(cells + [_fact(value) for value in report.facts[row].values()])
    return grid(header, body)


def _difference_grid(report: Report, lines: Lines, name: str) -> str:
    body = [
        [row.title, *(_difference_text(line, name) for line in of_row)]
        for row, of_row in lines.items()
    ]
    return grid(["Method", *(column.label for column in report.columns)], body)


def grid(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table; all columns but the first are aligned to the right."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *lines])


def networks_note(settings: Settings, rows: Iterable[Row]) -> str:
    """Say in one sentence how all networks among the rows are built and trained.

    The learning rate is not named: it may differ from row to row.
    """
    train, own = settings.train, dict[str, Mapping[str, Any]]()
    for row in rows:
        row, pair = replace(row, view=""), Row(row.fusion, row.mtl)
        if row.fusion:
            own |= _own_settings(settings.of(Training(pair, 0, train.learning_rate)))
        if row.changes:
            named = row.title.startswith(pair.title)
            own[row.title if named else f"{row.title} ({pair.title})"] = row.changes
    listed = "".join(
        f"; {name} with {', '.join(f'{key} {value}' for key, value in values.items())}"
        for name, values in own.items()
        if values
    )
    return (
        f"All networks: width {settings.fusion.width}, batch {train.batch_size}, dropout "
        f"{train.dropout:g}, input dropout {train.input_dropout:g}, weight decay "
        f"{train.weight_decay:g}, members {train.members}, {_shots(train.shots)}at most "
        f"{train.max_epochs} epochs, patience {train.patience} by validation {train.monitor}"
        f"{listed}."
    )


def _shots(shots: int | None) -> str:
    return f"{shots} labelled training samples a class, " if shots else ""


def _own_settings(settings: Settings) -> dict[str, Mapping[str, Any]]:
    """Return what the fusion and what the method takes beside the width, by their titles."""
    fusion, mtl = settings.fusion, settings.mtl
    of_fusion = fusion.model_dump(include=set(fusion_class(fusion.name).takes) - {"width"})
    of_method = mtl.model_dump(include=set(method_class(mtl.name).takes))
    return {
        title_of(fusion.name): of_fusion | fusion.options,
        title_of(mtl.name): of_method | mtl.options,
    }


def _fact(value: int | float | str) -> str:
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else str(value)


def _score(line: Line) -> str:
    if math.isnan(line["mean"]):
        return NOTHING
    if math.isnan(line["low"]):
        return f"{line['mean']:.3f}"
    return f"{line['mean']:.3f} ± {line['sd']:.3f} [{line['low']:.3f}, {line['high']:.3f}]"


def _paper(line: Line) -> str:
    return NOTHING if math.isnan(line["paper"]) else f"{line['paper']:.3f}"


def _difference_text(line: Line, name: str) -> str:
    mean, low, high = (line[f"{name}_{key}"] for key in ("mean", "low", "high"))
    if math.isnan(mean):
        return NOTHING
    if math.isnan(low):
        return f"{mean:+.3f}"
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]{' *' if low > 0 or high < 0 else ''}"


def _draw(path: Path, report: Report, table: pd.DataFrame) -> None:
    """Draw a panel a column: each row's mean and interval, and the paper's value as a diamond."""
    height = 0.3 * len(report.rows) + 1.1  # inches
    figure, axes = panels(len(report.columns), 3.3, height, sharey=True)
    for ax, column in zip(axes, report.columns, strict=True):
        _draw_column(ax, column, report, table)
    figure.suptitle(report.title, fontsize=11)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    save(path, figure)


def _draw_column(ax: Axes, column: Column, report: Report, table: pd.DataFrame) -> None:
    lines = table[(table["task"] == column.task) & (table["score"] == column.score)]
    places = list(range(len(lines)))
    ax.hlines(places, lines["low"], lines["high"], color=_OURS, linewidth=2, alpha=0.55)
    label = "mean over seeds, 95 % interval"
    ax.plot(lines["mean"], places, "o", color=_OURS, markersize=5, label=label)
    if lines["paper"].notna().any():
        ax.plot(lines["paper"], places, "D", color=_PAPER, fillstyle="none", label="in the paper")
    for first in report.references[:1]:
        reference = report.rows[first][column.task, column.score]
        ax.axvline(reference.mean, color=_REFERENCE, linewidth=0.8, linestyle=":", zorder=0)
    lower = " (lower is better)" if column.score in _LOWER_IS_BETTER else ""
    ax.set_title(f"{column.label}{lower}", fontsize=9)
    ax.set_yticks(places, [row.title for row in report.rows], fontsize=8)
    ax.set_ylim(len(lines) - 0.5, -0.5)
    ax.tick_params(axis="x", labelsize=8)
    ax.grid(axis="x", alpha=0.3)
