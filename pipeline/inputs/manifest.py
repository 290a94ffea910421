"""A manifest of clips: one CSV row per clip, and the allowed forms of its `source`."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from pipeline.inputs.tables import read_table

COLUMNS = ("id", "source", "start", "end", "description")
# What a clip was cut from, if that is not its source: clips of one origin stay together.
OPTIONAL = ("origin",)
# Names that a concept cannot have: columns of the index, and the mean in the metrics.
RESERVED = ("group", "split", "text", "image", "video", "audio", "mean", "step")
SOURCES = "a path below the manifest's folder or an absolute one, an http(s) URL, or a YouTube id"
LONGEST_ID = 200  # bytes: a file name has at most 255, including the clip's suffix

# A concept names files and columns of what is made from it.
_CONCEPT = re.compile(r"[^\W_][\w-]*")
_YOUTUBE_ID = re.compile(r"[\w-]{11}", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
# A host of letters of any script; an address in brackets is IPv6. Control characters are refused.
_URL = re.compile(
    r"https?://([^\s/?#@]+@)?([\w.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?([/?#][^\x00-\x1f\x7f]*)?",
    re.IGNORECASE,
)


def read_manifest(path: Path) -> pd.DataFrame:
    """Read and check a manifest: id, source, start, end, description, one 0/1 column per concept.

    A column `origin` is optional. Times are seconds, empty for the whole clip; an empty concept
    is unknown. Concept columns come back as nullable integers. Raises ValueError naming file, row
    and column.
    """
    table = read_table(path, delimiter=",", quoting=True, required=COLUMNS)
    if table.empty:
        raise ValueError(f"{path}: no clip; add one row per clip below the header")
    _check_columns(path, table)
    _check_ids(path, table["id"])
    times = {column: _times(path, table[column]) for column in ("start", "end")}
    backwards = times["end"] <= times["start"].fillna(0)
    _refuse(path, backwards, "end", table["end"], "a time after start")
    table = table.assign(**times)
    _refuse(path, ~table["source"].map(is_source), "source", table["source"], SOURCES)
    for concept in concepts(table):
        known = table[concept].isin(["0", "1", ""])
        _refuse(path, ~known, concept, table[concept], "0, 1 or empty")
        table[concept] = table[concept].map({"0": 0, "1": 1}).astype("Int64")
    return table


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


def _check_columns(path: Path, table: pd.DataFrame) -> None:
    if not concepts(table):
        raise ValueError(f"{path}: no concept column; add one per concept to {COLUMNS}")
    names = list(table.columns)
    for name in names:
        if not name or name in RESERVED or names.count(name) > 1:
            raise ValueError(
                f"{path}: column {names.index(name) + 1} is named {name!r}; allowed: a name that "
                f"appears once, and none of {', '.join(RESERVED)}"
            )
    for name in concepts(table):
        if not _CONCEPT.fullmatch(name):
            raise ValueError(
                f"{path}: concept {name!r}; allowed: letters, digits, _ and -, "
                "a letter or digit first"
            )


def _check_ids(path: Path, ids: pd.Series) -> None:
    # An id names the clip's file in the raw folder: it must be a plain name there.
    bad = (ids == "") | ids.str.contains(r"[/\\\0]") | ids.str.startswith(".")
    _refuse(path, bad, "id", ids, "a name without slashes that does not begin with a dot")
    long = ids.map(lambda name: len(name.encode())) > LONGEST_ID
    _refuse(path, long, "id", ids, f"at most {LONGEST_ID} bytes, since it names a file")
    _refuse(path, ids.duplicated(), "id", ids, "an id of its own for each clip")
    # Some file systems ignore case, and one id with a clip's suffix may equal another id.
    folded = ids.str.casefold()
    _refuse(path, folded.duplicated(), "id", ids, "an id that differs in more than capitals")
    parts = folded.str.rpartition(".")
    # A file's ending is no number, but the end of seconds is: VIDI's a_0_12 and a_0_12.5 differ.
    added = parts[0].isin(set(folded)) & ~parts[2].str.fullmatch("[0-9]+")
    _refuse(path, added, "id", ids, "no other row's id with an ending")


def _times(path: Path, column: pd.Series) -> pd.Series:
    times = pd.to_numeric(column, errors="coerce")
    wrong = (column != "") & ~((times >= 0) & (times < np.inf))
    _refuse(path, wrong, str(column.name), column, "seconds from 0, or empty")
    return times.astype("Float64")


def _refuse(path: Path, wrong: pd.Series, column: str, values: pd.Series, allowed: str) -> None:
    wrong = wrong.fillna(False).astype(bool)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise ValueError(
            f"{path}: row {row + 2}, column {column} is {values.iloc[row]!r}; allowed: {allowed}"
        )
