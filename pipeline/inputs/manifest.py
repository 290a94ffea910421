"""A manifest of clips: one CSV row per clip, and the allowed forms of its `source`.

The checks of ids, times, labels and columns are also those of a posts manifest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd

from pipeline.ground.letters import WORD
from pipeline.ground.messages import UNSAFE
from pipeline.inputs.tables import first_clash, fold, is_missing, read_table, refuse

COLUMNS = ("id", "source", "start", "end", "description")
# What a clip was cut from, if not from its source: clips of one origin stay together.
OPTIONAL = ("origin",)
# Names that a concept cannot have: columns of the index and of predictions, and the mean in the
# metrics.
RESERVED = (
    *("group", "event", "split", "leaks", "text", "image", "video", "audio"),
    *("mean", "step", "unsure"),
)
SOURCES = "a path below the manifest's folder or an absolute one, an http(s) URL, or a YouTube id"
LONGEST_ID = 200  # bytes: a file name has at most 255, including the clip's suffix
LONGEST_CONCEPT = 100  # bytes, because it names files too
# What pandas and spreadsheets write for a label, also with decimals: 1.0.
LABELS = {"0": 0, "false": 0, "1": 1, "true": 1}
# The task of a column of such labels.
YES_OR_NO = {"classes": ("absent", "present"), "negative": "absent", "head": "sigmoid"}

# A concept names files and columns of what is made from it.
_CONCEPT = re.compile(rf"({WORD}|-)+")
# A long number as spreadsheets and pandas write it: 9.00041E+17, 900041234567890000.0.
_ROUNDED = r"[0-9.,]+[eE]\+[0-9]+|[0-9]{16,}\.0"
_YOUTUBE_ID = re.compile(r"[\w-]{11}", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
# A host of letters of any script; an address in brackets is IPv6. Control characters are refused.
_URL = re.compile(
    r"https?://([^\s/?#@]+@)?([\w.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?([/?#][^\x00-\x1f\x7f]*)?",
    re.IGNORECASE,
)


def read_manifest(path: Path) -> pd.DataFrame:
    """Read and check a manifest: id, source, start, end, description, one 0/1 column per concept.

    A column `origin` is optional; where it is empty, a clip's origin is its source. Times are
    seconds, empty for the whole clip; an empty concept is unknown. Concept columns come back as
    nullable integers. Raises ValueError naming file, row and column.
    """
    table = read_table(path, quoting=True, required=COLUMNS)
    if table.empty:
        raise ValueError(f"{path}: no clip; add one row per clip below the header")
    if not concepts(table):
        raise ValueError(f"{path}: no concept column; add one per concept to {COLUMNS}")
    check_names(path, concepts(table))
    check_ids(path, table["id"])
    _check_endings(path, table["id"])
    table = table.assign(**read_span(path, table))
    refuse(path, table["source"], ~table["source"].map(is_source), SOURCES)
    if "origin" in table.columns:
        refuse_rounded(path, table["origin"])
        table["origin"] = table["origin"].mask(is_missing(table["origin"]), table["source"])
    for concept in concepts(table):
        table[concept] = read_labels(path, table[concept])
    return table


def read_labels(path: Path, column: pd.Series, cure: str = "") -> pd.Series:
    """Return the labels of a yes-or-no column as nullable integers.

    Raises ValueError with row, column and `cure` for any other value.
    """
    texts = column.str.strip().str.lower()
    labels = texts.str.replace(r"(?<=^[01])\.0*$", "", regex=True).map(LABELS).astype("Int64")
    strange = labels.isna() & ~is_missing(texts)
    refuse(path, column, strange, f"0, 1 or empty (also 0.0, 1.0, FALSE, TRUE, NA){cure}")
    return labels


def read_span(path: Path, table: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the columns start and end in seconds; raises ValueError naming row and column."""
    times = {column: _times(path, table[column]) for column in ("start", "end")}
    backwards = times["end"] <= times["start"].fillna(0)
    refuse(path, table["end"], backwards.fillna(False), "a time after start")
    return times


def copy_manifest(
    table: pd.DataFrame,
    path: Path,
    original: Path,
    read: Callable[[Path], pd.DataFrame] = read_manifest,
) -> None:
    """Write the rows of `table` as the new manifest `path`, and read them back with `read`.

    Raises ValueError naming the `original` manifest if the copy does not say what `table` does.
    """
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            for row in [tuple(table.columns), *table.itertuples(index=False, name=None)]:
                file.write(",".join(_field(value) for value in row) + "\n")
        copy = read(path)
        if not copy.equals(table.astype(copy.dtypes)):
            raise ValueError("values changed")
    except ValueError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise ValueError(f"{original} cannot be copied: {reason}") from None


def _field(value: Any) -> str:
    text = "" if pd.isna(value) else str(value)
    # Python's own writer leaves a carriage return unquoted before 3.11.9.
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\r\n]', text) else text


def concepts(manifest: pd.DataFrame) -> list[str]:
    """Name the concept columns, in the file's order."""
    return [column for column in manifest.columns if column not in (*COLUMNS, *OPTIONAL)]


def is_source(source: str) -> bool:
    """Whether `source` has one of the three forms; nothing is looked up.

    A relative path that leads out of the manifest's folder is refused, so that the folder limits
    the files that a manifest from others can name.
    """
    if _SCHEME.match(source):
        return _URL.fullmatch(source) is not None
    return source.strip() != "" and "\0" not in source and ".." not in PurePath(source).parts


def address(source: str, folder: Path) -> str | None:
    """Return the URL of a clip that must be fetched; None for a local path.

    Eleven letters, digits, `_` or `-` are a YouTube id unless `folder` has a file of that name.
    """
    if _SCHEME.match(source):
        return source
    if _YOUTUBE_ID.fullmatch(source) and not (folder / source).exists():
        return f"https://www.youtube.com/watch?v={source}"
    return None


def check_names(path: Path, names: Iterable[str]) -> None:
    """Raise ValueError for a column that cannot be a task: it names files and columns."""
    for name in names:
        plain = _CONCEPT.fullmatch(name) and name[0].isalnum() and name.isprintable()
        if not plain or name in RESERVED or len(name.encode()) > LONGEST_CONCEPT:
            raise ValueError(
                f"{path}: column {name!r}; allowed: letters, digits, _ and -, a letter or digit "
                f"first, at most {LONGEST_CONCEPT} bytes, and none of {', '.join(RESERVED)}"
            )


def check_ids(path: Path, ids: pd.Series) -> None:
    """Raise ValueError for an id that is not a plain name, was rounded, or appears twice."""
    # A clip's id names its file in the raw folder.
    bad = ids.str.fullmatch(r"\s*|\..*") | ids.str.contains(rf"[/\\\t\n]|{UNSAFE}")
    long = ids.map(lambda name: len(name.encode())) > LONGEST_ID
    plain = "a name without slashes and control characters, not beginning with a dot"
    refuse(path, ids, bad | long, f"{plain}, of at most {LONGEST_ID} bytes")
    refuse_rounded(path, ids)
    if clash := first_clash(ids):
        first, second = clash
        allowed = "an id that differs in more than capitals or Unicode's form from"
        same = ids.index.to_series() == second
        refuse(path, ids, same, f"{allowed} {ids[first]!r} in row {first + 2}")


def _check_endings(path: Path, ids: pd.Series) -> None:
    # One id with a clip's suffix may equal another id.
    folded = ids.map(fold)
    parts = folded.str.rpartition(".")
    # A file's ending is no number, but the end of seconds is: VIDI's a_0_12 and a_0_12.5 differ.
    added = parts[0].isin(set(folded)) & ~parts[2].str.fullmatch("[0-9]+")
    refuse(path, ids, added, "no other row's id with an ending")


def refuse_rounded(path: Path, ids: pd.Series) -> None:
    """Raise ValueError for a long number as a spreadsheet or pandas rounds it."""
    allowed = "the whole id. Was the table opened in a spreadsheet? It rounds long numbers"
    refuse(path, ids, ids.str.fullmatch(_ROUNDED), allowed)


def _times(path: Path, column: pd.Series) -> pd.Series:
    times = pd.to_numeric(column, errors="coerce")
    wrong = (column != "") & ~((times >= 0) & (times < np.inf))
    refuse(path, column, wrong, "seconds from 0, or empty")
    return times.astype("Float64")
