"""CSV tables for people, in which texts from outside are neither formulas nor terminal escapes."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.ground.messages import UNSAFE, escape
from pipeline.ground.temporaries import written_whole

# A cell that begins with one of these is a formula; some languages use the full-width forms.
_SIGN = r"[=+\-@\uff1d\uff0b\uff0d\uff20]"
_FORMULA = rf"(?:[\t\n]|\s*{_SIGN})"
# Also escaped: a separator other than the comma if a formula follows it, since some languages end
# a cell there, and a backslash that would be read back as the beginning of an escape.
_TO_ESCAPE = re.compile(rf'{UNSAFE}|[;\t\n](?=["\s]*{_SIGN})|\\(?=x[0-9a-f]{{2}}|u[0-9a-f]{{4}})')
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})")
_TO_QUOTE = re.compile(f"'*{_FORMULA}")
_QUOTED = re.compile(f"'+{_FORMULA}")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table whose texts `read_csv` returns exactly.

    A text that a spreadsheet would compute gets a leading quote; unsafe characters are escaped.
    """
    with written_whole(path) as temporary:
        temporary.write_text(csv_lines(table), encoding="utf-8", newline="")


def csv_lines(table: pd.DataFrame, header: bool = True) -> str:
    """Return the lines of a table as `write_csv` writes them."""
    cells = table.map(lambda value: _cell(value) if isinstance(value, str) else value)
    cells = cells.rename(columns=_cell)  # a task or class may be named -1
    return str(cells.to_csv(index=False, header=header, lineterminator="\n"))


def read_csv(path: Path, columns: Sequence[str]) -> list[list[str]]:
    """Read the rows of a table that `write_csv` wrote with these columns, every cell as text.

    Raises ValueError naming a file that is damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, strict=True))
        if rows[:1] != [list(columns)] or any(len(row) != len(columns) for row in rows):
            raise ValueError(f"not a table of {', '.join(columns)}")
    except (csv.Error, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}); run its stage again") from None
    return [[_text(cell) for cell in row] for row in rows[1:]]


def _cell(text: str) -> str:
    escaped = _TO_ESCAPE.sub(escape, text)
    return f"'{escaped}" if _TO_QUOTE.match(escaped) else escaped


def _text(cell: str) -> str:
    escaped = cell[1:] if _QUOTED.match(cell) else cell
    return _ESCAPED.sub(lambda match: chr(int(match[1] or match[2], 16)), escaped)
