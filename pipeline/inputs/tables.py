"""Text tables, read strictly: a row of too many or too few fields is an error."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

DELIMITERS = (",", ";", "\t")
# What pandas, R and spreadsheets write where there is no value, in any case.
MISSING = ("", "nan", "-nan", "nat", "na", "n/a", "#na", "#n/a", "<na>", "none", "null")


def read_table(path: Path, *, quoting: bool, required: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table with a header in UTF-8: all columns as text, exactly as written.

    With `quoting` the file is CSV: a field in double quotes may hold the delimiter and line ends.
    Without it fields are divided by tabs, and a quote is a letter like any other. Columns named in
    `required` must be there, and no two columns may share a name. Raises ValueError naming the file
    and the row or column; the header is row 1.
    """
    text = _text(path)
    delimiter = _delimiter(text, required) if quoting else "\t"
    # Not pandas: its readers shift or fill rows of another length silently.
    rows = _quoted(path, text, delimiter) if quoting else _plain(text)
    if rows[:1] == [["sep=", ""]]:  # Excel's line, which it does not count as a row
        del rows[0]
    header, *rows = rows or [[]]
    for name in required:
        if name not in header:
            raise ValueError(f"{path}: column {name} is missing; the header is {header}")
    if clash := first_clash(header):
        first, second = clash
        raise ValueError(
            f"{path}: columns {first + 1} and {second + 1} are named {header[first]!r} and "
            f"{header[second]!r}; rename or delete one"
        )
    cure = "a text must hold no line feed and no '\\t'"
    if quoting:
        cure = f"put a text that holds {delimiter!r} or a line end between double quotes"
    _check_rows(path, header, rows, cure)
    return pd.DataFrame(rows, columns=header, dtype=str)


def _check_rows(path: Path, header: list[str], rows: list[list[str]], cure: str) -> None:
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ValueError(
                f"{path}: row {number} has {len(row)} fields, the header {len(header)}; {cure}"
            )
        if any("\0" in field for field in row):
            raise ValueError(f"{path}: row {number} holds a NUL byte; fetch or make it again")


def _delimiter(text: str, columns: Sequence[str]) -> str:
    """Return the delimiter with which the header has one of `columns`; a comma if none does.

    Spreadsheets write `;` where a comma divides a number from its decimals. A line `sep=;` before
    the header, which Excel understands, names the delimiter.
    """
    first = text.partition("\n")[0].rstrip("\r").replace('"', "")
    for mark in DELIMITERS:
        if first == f"sep={mark}" or not set(columns).isdisjoint(first.split(mark)):
            return mark
    return DELIMITERS[0]


def refuse(path: Path, values: pd.Series, wrong: pd.Series, allowed: str) -> None:
    """Raise ValueError with file, row and column if any of a table's values is wrong."""
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise ValueError(
            f"{path}: row {row + 2}, column {values.name} is {values.iloc[row]!r}; "
            f"allowed: {allowed}"
        )


def is_missing(column: pd.Series) -> pd.Series:
    """Whether each text of a column means that there is no value."""
    return column.str.strip().str.casefold().isin(MISSING)


def fold(name: str) -> str:
    """Return a name without capitals and in one Unicode form, as some disks compare names."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def first_clash(names: Iterable[str]) -> tuple[int, int] | None:
    """Return the positions of the first two names that fold to the same; None if all differ."""
    positions: dict[str, int] = {}
    for position, name in enumerate(names):
        first = positions.setdefault(fold(name), position)
        if first != position:
            return first, position
    return None


def _text(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"{path}: no such table")
    try:
        # A byte-order mark is not part of the first column's name.
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}: line {line} is not UTF-8 ({error.reason}); save the table in UTF-8"
        ) from None


def _plain(text: str) -> list[list[str]]:
    # Only a line feed ends a line: real texts contain carriage returns, U+0085 and U+2028.
    lines = text.rstrip("\r\n").split("\n")
    return [line.removesuffix("\r").split("\t") for line in lines]


def _quoted(path: Path, text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [row for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"{path}: line {reader.line_num} is not CSV ({error})") from None
