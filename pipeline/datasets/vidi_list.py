"""One of VIDI's lists: a CSV of label, YouTube id, span and language, a row a clip."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

HEADER = ["label", "youtube_id", "time_start", "time_end", "lang"]
# Where a file or a label is spelt in another way than the incident.
SPELLINGS = {"oil_spil": "oil_spill"}

# A YouTube id, and two times in seconds as they are written.
Span = tuple[str, str, str]


def read_list(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a list with their numbers.

    Raises ValueError for other columns, and for what is no UTF-8 CSV with the row where it ends.
    """
    rows = csv.reader(io.StringIO(_text(path), newline=""))
    try:
        header = next(rows, [])
        if header != HEADER:
            # Of a page in place of the list, the first line may be all of it.
            raise ValueError(f"{path}: columns are {str(header)[:200]}; expected {HEADER}")
        yield from ((number, row) for number, row in enumerate(rows, start=2) if row)
    except csv.Error as error:
        raise ValueError(f"{path}: row {rows.line_num} is no CSV ({error})") from None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}: row {row} is not UTF-8 ({error.reason})") from None


def incident(label: str) -> str:
    """Spell a label as its incident: `On Fire` and `on-fire` are `on_fire`."""
    plain = re.sub(r"[\s_-]+", "_", label.strip().lower())
    return SPELLINGS.get(plain, plain)


def read_row(path: Path, number: int, values: list[str]) -> tuple[Span, str]:
    """Return a row's span and incident; raises ValueError naming file, row and column."""

    def refuse(column: str, value: str, allowed: str) -> None:
        raise ValueError(f"{path}: row {number}, column {column} is {value!r}; expected {allowed}")

    if len(values) != len(HEADER):
        raise ValueError(f"{path}: row {number} has {len(values)} fields, expected {len(HEADER)}")
    label, video, start, end, _ = (value.strip() for value in values)
    if not re.fullmatch(r"[a-z0-9]\w*", incident(label), re.ASCII):
        refuse("label", label, "the name of an incident")
    if not re.fullmatch(r"[\w-]{11}", video, re.ASCII):
        refuse("youtube_id", video, "11 letters, digits, _ or -")
    for column, value in (("time_start", start), ("time_end", end)):
        if not re.fullmatch(r"\d{1,6}(\.\d+)?", value, re.ASCII):
            refuse(column, value, "seconds from 0")
    if float(end) <= float(start):
        refuse("time_end", end, "a time after time_start")
    # As numbers: 1.0 is 1.
    return (video, f"{float(start):.12g}", f"{float(end):.12g}"), incident(label)
