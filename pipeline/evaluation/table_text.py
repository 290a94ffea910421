"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import pandas as pd

from pipeline.evaluation.tables import REFERENCE, SETS, Column, Table, row_title

ROMAN = {1: "I", 2: "II", 3: "III", 4: "IV", 5: "V"}
NOTHING = "–"  # noqa: RUF001 - a dash that cannot be taken for a minus


def markdown(
    table: Table, compared: pd.DataFrame, facts: pd.DataFrame, notes: Sequence[str]
) -> str:
    """Write one table: scores beside the paper's, then both paired differences, then notes.

    `facts` has one line a row: row, parameters, learning_rate.
    """
    labels = [column.label for column in table.columns]
    beside = [text for label in labels for text in (label, "paper")]
    parts = [
        f"# Table {ROMAN[table.number]}: {table.title} ({SETS[table.data]})",
        grid(
            ["Method", *beside, "parameters", "learning rate"],
            (
                [
                    row_title(fact["row"]),
                    *_cells(table.columns, compared, fact["row"], _score, _paper),
                    f"{fact['parameters']:,}",
                    str(fact["learning_rate"]),
                ]
                for fact in facts.to_dict("records")
            ),
        ),
        f"## Paired differences to {row_title(REFERENCE)}",
        _differences(table, compared, facts, labels, _to_reference),
        "## Paired differences to the best other row",
        _differences(table, compared, facts, labels, _to_best),
        "\n".join(f"- {note}" for note in notes),
    ]
    return "\n\n".join(parts) + "\n"


def _differences(
    table: Table,
    compared: pd.DataFrame,
    facts: pd.DataFrame,
    labels: Sequence[str],
    form: Callable[[pd.Series], str],
) -> str:
    lines = ([row_title(r), *_cells(table.columns, compared, r, form)] for r in facts["row"])
    return grid(["Method", *labels], lines)


def _cells(
    columns: Iterable[Column],
    compared: pd.DataFrame,
    row: str,
    *forms: Callable[[pd.Series], str],
) -> list[str]:
    lines: Mapping[tuple[str, str], pd.Series] = {
        (line["task"], line["score"]): line
        for _, line in compared[compared["row"] == row].iterrows()
    }
    return [form(lines[column.task, column.score]) for column in columns for form in forms]


def _score(line: pd.Series) -> str:
    if pd.isna(line["mean"]):
        return NOTHING
    return f"{line['mean']:.3f} ± {line['sd']:.3f} [{line['low']:.3f}, {line['high']:.3f}]"


def _paper(line: pd.Series) -> str:
    return NOTHING if pd.isna(line["paper"]) else f"{line['paper']:.3f}"


def _to_reference(line: pd.Series) -> str:
    return _difference(line, "reference")


def _to_best(line: pd.Series) -> str:
    told = _difference(line, "best_other")
    return told if told == NOTHING else f"{told} ({row_title(line['best_other'])})"


def _difference(line: pd.Series, name: str) -> str:
    mean, low, high = (line[f"{name}_{part}"] for part in ("mean", "low", "high"))
    if pd.isna(mean):
        return NOTHING
    apart = " *" if low > 0 or high < 0 else ""
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]{apart}"


def grid(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table; all columns but the first are aligned to the right."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *lines])
