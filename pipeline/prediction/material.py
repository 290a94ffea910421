"""Where posts to predict come from: a manifest, a folder, JSON lines, or the model's own set."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.datasets.posts import read_posts, task_names
from pipeline.ground.data_set import SEPARATOR, data_set
from pipeline.inputs.parquet import read_table
from pipeline.prediction.posts import KEYS, posts_table

STANDARD_INPUT = "-"

# Columns of a manifest that no prediction depends on.
OPTIONAL = ("group", "time", "language")

# Suffixes of what the readers of photos, and of clips, take: docs/own_posts.md, "Formats".
PHOTOS = "jpg jpeg jpe jfif png gif webp avif heif heic tif tiff bmp"
CLIPS = (
    "mp4 m4v mov 3gp mkv webm avi ts m2ts mts mpg mpeg wmv flv ogv apng "
    "wav aif aiff mp3 flac aac m4a amr caf ogg opus"
)


def posts_of(
    source: str | None, post: Mapping[str, Any], at_once: int
) -> tuple[list[str], Path, Iterator[pd.DataFrame]]:
    """Return notes for the user, the folder of relative paths, and tables of posts.

    `source` is a manifest, a folder or `-` for JSON lines, of which a table has at most `at_once`;
    without it there is the one `post`. Raises ValueError for another file.
    """
    if source is None:
        return [], Path(), iter([posts_table(post)])
    if source == STANDARD_INPUT:
        return [], Path(), json_posts(sys.stdin, at_once)
    path = Path(source)
    if path.is_dir():
        table, others = folder_posts(path)
        notes = [f"{others:,} files are neither photos nor clips"] if others else []
        return notes, path, iter([table])
    if path.suffix != ".csv":
        raise ValueError(
            f"{path}: no such folder, and no manifest; a manifest is a .csv with the columns id, "
            f"text, image, video{_instead(path)}"
        )
    table, columns = manifest_posts(path)
    notes = [f"columns that predictions do not use: {', '.join(columns)}"] if columns else []
    return notes, path.parent, iter([table])


def _instead(path: Path) -> str:
    """Say how a file that is no manifest is given."""
    suffix = path.suffix.lower().removeprefix(".")
    for option, suffixes in (("--image", PHOTOS), ("--video", CLIPS)):
        if suffix in suffixes.split():
            return f". Give one file as {option} {path}"
    return f". Give JSON lines as - < {path}" if suffix in ("jsonl", "ndjson", "json") else ""


def manifest_posts(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return the posts of a manifest, and the names of the columns that predictions do not use.

    Raises ValueError naming file, row and column.
    """
    table = read_posts(path)
    others = [*task_names(table), *(n for n in OPTIONAL if table[n].notna().any())]
    return posts_table(table[list(KEYS)]), others


def folder_posts(folder: Path) -> tuple[pd.DataFrame, int]:
    """Return a post for each photo and clip below a folder, and the number of other files.

    A post's id is the file's path in the folder. Hidden files are skipped. Raises ValueError
    if there is neither a photo nor a clip, and for a name that cannot be in a manifest.
    """
    rows, others = list[dict[str, Any]](), 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or any(part.startswith(".") for part in name.parts):
            continue
        suffix = path.suffix.lower().removeprefix(".")
        if suffix not in (*PHOTOS.split(), *CLIPS.split()):
            others += 1
            continue
        _check_name(path, name.as_posix())
        column = "image" if suffix in PHOTOS.split() else "video"
        rows.append({"id": name.as_posix(), column: name.as_posix()})
    if not rows:
        raise ValueError(
            f"{folder}: no photo or clip, {others} other files; allowed: {PHOTOS} {CLIPS}"
        )
    return posts_table(rows), others


def own_posts(model: Path) -> tuple[pd.DataFrame, Path]:
    """Return the posts of the set that a model was trained on, and the folder of their files.

    The set has the name of the model's folder, and is in the same project. Raises ValueError if it
    is missing.
    """
    project = model.absolute().parent.parent
    data = data_set(model.absolute().name)
    index = project / data.index
    if not index.is_file():
        raise ValueError(
            f"{index} is not there, so no post has an --id; give an INPUT with it, or run "
            f"dvc repro index@{data.name}"
        )
    return posts_table(read_table(index).reindex(columns=list(KEYS))), project / data.raw


def _check_name(path: Path, name: str) -> None:
    plain = SEPARATOR not in name and name == name.strip()
    if not plain or name != name.encode(errors="replace").decode():
        raise ValueError(
            f"{str(path)!r}: its name has a {SEPARATOR!r}, a space at an end, or bytes that are "
            "not UTF-8; rename it"
        )


def json_posts(lines: Iterable[str], at_once: int) -> Iterator[pd.DataFrame]:
    """Yield tables of at most `at_once` posts from JSON lines; raises ValueError naming the line.

    A line is an object with some of the keys id, text, image, video, start and end.
    """
    posts = (_post(line, number) for number, line in enumerate(lines, 1) if line.strip())
    known, first = set[str](), 1
    while some := list(islice(posts, at_once)):
        try:
            table = posts_table(some, first)
        except ValueError as error:
            raise ValueError(f"standard input: {error}") from None
        if repeated := sorted(known.intersection(table["id"])):
            raise ValueError(f"standard input: two posts have the id {repeated[0]!r}")
        known.update(table["id"])
        first += len(table)
        yield table
    if not known:
        raise ValueError("standard input: no post; write one JSON object a line")


def _post(line: str, number: int) -> dict[str, Any]:
    try:
        post = json.loads(line.strip())
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at column {error.colno}; write one post a line"
        raise ValueError(f"standard input: line {number} is not JSON: {reason}") from None
    except RecursionError:
        raise ValueError(f"standard input: line {number} nests too deep for a post") from None
    if not isinstance(post, dict):
        raise ValueError(f"standard input: line {number} is no object; write one post a line")
    return post
