"""A comparison as a table (CSV and Markdown) and as a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.evaluation.comparison.cells import Row
from pipeline.evaluation.comparison.estimates import Estimate, Estimates
from pipeline.evaluation.plots import save

NOTHING = "–"  # noqa: RUF001 - a dash that cannot be mistaken for a minus
LOWER_IS_BETTER = ("hl", "hamming_loss")
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
    """What a reader gets: a row for each of `rows`, in their order, compared with `reference`.

    `facts[row]` holds further columns, the same for each row.
    """

    title: str
    columns: Sequence[Column]
    rows: Mapping[Row, Estimates]
    facts: Mapping[Row, Mapping[str, int | float | None]]
    reference: Row
    notes: Sequence[str]


def write_report(report: Report, folder: Path, pictures: Path, name: str) -> pd.DataFrame:
    """Write <name>.csv and <name>.md into `folder`, <name>.png into `pictures`; see `scores`."""
    table = scores(report)
    for path in (folder, pictures):
        path.mkdir(parents=True, exist_ok=True)
    facts = pd.DataFrame([{"row": row.name, **f} for row, f in report.facts.items()])
    merged = table.merge(facts, on="row", validate="many_to_one")
    merged.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    (folder / f"{name}.md").write_text(_markdown(report, table), encoding="utf-8")
    _draw(pictures / f"{name}.png", report, table)
    return merged


def scores(report: Report) -> pd.DataFrame:
    """Build one line a row and column: the score, its interval, both differences, the paper's.

    The best other row is the one with the best mean in that column on the test side.
    """
    lines = []
    for column in report.columns:
        values = {row: e[column.task, column.score] for row, e in report.rows.items()}
        for row, value in values.items():
            best = _best(column, {other: v for other, v in values.items() if other != row})
            reference = report.reference if report.reference in values else None
            lines.append(
                {
                    "row": row.name,
                    "task": column.task,
                    "score": column.score,
                    **_interval("", value),
                    "sd": value.sd,
                    **_difference("reference", row, reference, values),
                    **_difference("best_other", row, best, values),
                    "paper": column.paper.get(row.name, math.nan),
                }
            )
    return pd.DataFrame(lines)


def _best(column: Column, others: Mapping[Row, Estimate]) -> Row | None:
    sign = -1 if column.score in LOWER_IS_BETTER else 1
    means = {row: sign * v.mean for row, v in others.items() if not math.isnan(v.mean)}
    return max(means, key=lambda row: means[row]) if means else None


def _difference(
    name: str, row: Row, other: Row | None, values: Mapping[Row, Estimate]
) -> dict[str, object]:
    if other is None or other == row:
        return {name: None, **_interval(f"{name}_", None)}
    return {name: other.name, **_interval(f"{name}_", values[row] - values[other])}


def _interval(prefix: str, value: Estimate | None) -> dict[str, object]:
    mean, (low, high) = (value.mean, value.interval) if value else (math.nan, [math.nan] * 2)
    return {f"{prefix}mean": mean, f"{prefix}low": low, f"{prefix}high": high}


def _markdown(report: Report, table: pd.DataFrame) -> str:
    """Write the scores, then both kinds of paired differences, then the notes."""
    labels = [column.label for column in report.columns]
    printed = bool(table["paper"].notna().any())
    forms = [_score, _paper] if printed else [_score]
    header = [text for label in labels for text in (label, "paper")[: len(forms)]]
    facts = list(next(iter(report.facts.values())))
    parts = [
        f"# {report.title}",
        grid(
            ["Method", *header, *(name.replace("_", " ") for name in facts)],
            (
                [row.title, *_cells(report, table, row, forms), *map(_number, f.values())]
                for row, f in report.facts.items()
            ),
        ),
        f"## Paired differences to {report.reference.title}",
        _differences(report, table, labels, lambda line: _with_mark(line, "reference")),
        "## Paired differences to the best other row",
        _differences(report, table, labels, lambda line: _to_best(report, line)),
        "\n".join(f"- {note}" for note in report.notes),
    ]
    return "\n\n".join(parts) + "\n"


def grid(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table; all columns but the first are aligned to the right."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *lines])


Form = Callable[[pd.Series], str]


def _differences(report: Report, table: pd.DataFrame, labels: Sequence[str], form: Form) -> str:
    lines = ([row.title, *_cells(report, table, row, [form])] for row in report.rows)
    return grid(["Method", *labels], lines)


def _cells(report: Report, table: pd.DataFrame, row: Row, forms: Sequence[Form]) -> list[str]:
    lines = {(x["task"], x["score"]): x for _, x in table[table["row"] == row.name].iterrows()}
    return [form(lines[column.task, column.score]) for column in report.columns for form in forms]


def _score(line: pd.Series) -> str:
    if pd.isna(line["mean"]):
        return NOTHING
    if pd.isna(line["low"]):
        return f"{line['mean']:.3f}"
    return f"{line['mean']:.3f} ± {line['sd']:.3f} [{line['low']:.3f}, {line['high']:.3f}]"


def _paper(line: pd.Series) -> str:
    return NOTHING if pd.isna(line["paper"]) else f"{line['paper']:.3f}"


def _with_mark(line: pd.Series, name: str) -> str:
    mean, low, high = (line[f"{name}_{key}"] for key in ("mean", "low", "high"))
    if pd.isna(mean):
        return NOTHING
    if pd.isna(low):
        return f"{mean:+.3f}"
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]{' *' if low > 0 or high < 0 else ''}"


def _to_best(report: Report, line: pd.Series) -> str:
    text = _with_mark(line, "best_other")
    titles = {row.name: row.title for row in report.rows}
    return text if text == NOTHING else f"{text} ({titles[line['best_other']]})"


def _number(value: int | float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else str(value)


def _draw(path: Path, report: Report, table: pd.DataFrame) -> None:
    """Draw a panel a column: each row's mean and interval, and the paper's value as a diamond."""
    columns = min(len(report.columns), 4)
    height = -(-len(report.columns) // columns)
    size = (2.9 * columns + 1.4, height * (0.3 * len(report.rows) + 1.1))  # inches
    figure = Figure(size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(height, columns, squeeze=False, sharey=True)
    for ax in axes.flat[len(report.columns) :]:
        ax.set_visible(False)
    for ax, column in zip(axes.flat, report.columns, strict=False):
        _draw_column(ax, column, report, table)
    figure.suptitle(report.title, fontsize=11)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    save(path, figure)


def _draw_column(ax: Axes, column: Column, report: Report, table: pd.DataFrame) -> None:
    lines = table[(table["task"] == column.task) & (table["score"] == column.score)]
    lines = lines.set_index("row").loc[[row.name for row in report.rows]]
    places = list(range(len(lines)))
    ax.hlines(places, lines["low"], lines["high"], color=_OURS, linewidth=2, alpha=0.55)
    label = "mean over seeds, 95 % interval"
    ax.plot(lines["mean"], places, "o", color=_OURS, markersize=5, label=label)
    if lines["paper"].notna().any():
        ax.plot(lines["paper"], places, "D", color=_PAPER, fillstyle="none", label="in the paper")
    if report.reference in report.rows:
        reference = report.rows[report.reference][column.task, column.score]
        ax.axvline(reference.mean, color=_REFERENCE, linewidth=0.8, linestyle=":", zorder=0)
    lower = " (lower is better)" if column.score in LOWER_IS_BETTER else ""
    ax.set_title(f"{column.label}{lower}", fontsize=9)
    ax.set_yticks(places, [row.title for row in report.rows], fontsize=8)
    ax.set_ylim(len(lines) - 0.5, -0.5)
    ax.tick_params(axis="x", labelsize=8)
    ax.grid(axis="x", alpha=0.3)
