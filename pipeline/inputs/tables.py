"""Strict reading of text tables: a row of too many or too few fields is an error."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd


def read_table(
    path: Path, *, delimiter: str, quoting: bool, required: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a table with a header in UTF-8: all columns as text, exactly as written.

    `quoting` is CSV's: a field in double quotes may hold the delimiter and line ends; without it
    a quote is a letter like any other. Columns named in `required` must be there. Raises
    ValueError naming the file and the row or column; the header is row 1.
    """
    text = _text(path)
    # Not pandas: its readers shift or fill rows of another length silently.
    rows = _quoted(path, text, delimiter) if quoting else _plain(text, delimiter)
    header, *rows = rows or [[]]
    for name in required:
        if name not in header:
            raise ValueError(f"{path}: column {name} is missing; the header is {header}")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ValueError(
                f"{path}: row {number} has {len(row)} fields, the header {len(header)}; "
                + _cure(delimiter, quoting)
            )
        if any("\0" in field for field in row):
            raise ValueError(f"{path}: row {number} holds a NUL byte; fetch or make it again")
    return pd.DataFrame(rows, columns=header, dtype=str)


def _text(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"{path}: no such table")
    try:
        # A byte-order mark is not part of the first column's name.
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}: line {line} is not UTF-8 ({error.reason})") from None


def _plain(text: str, delimiter: str) -> list[list[str]]:
    # Only a line feed ends a line: real texts contain carriage returns, U+0085 and U+2028.
    lines = text.rstrip("\r\n").split("\n")
    return [line.removesuffix("\r").split(delimiter) for line in lines]


def _quoted(path: Path, text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [row for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"{path}: line {reader.line_num} is not CSV ({error})") from None


def _cure(delimiter: str, quoting: bool) -> str:
    if quoting:
        return f"put a text that holds {delimiter!r} between double quotes"
    return f"a text must hold no line feed and no {delimiter!r}"
