"""Where posts to predict come from: a manifest, a folder, or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import batched, count
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.prediction.posts import posts_table

# Suffixes of what the readers of photos, and of clips, take: README.md, "Data".
PHOTOS = ("jpg jpeg jpe jfif png gif webp avif heif heic tif tiff bmp").split()
CLIPS = (
    "mp4 m4v mov 3gp mkv webm avi ts m2ts mts mpg mpeg wmv flv ogv apng wav aif aiff mp3 flac aac "
    "m4a amr caf ogg opus"
).split()


def folder_posts(folder: Path) -> tuple[pd.DataFrame, int]:
    """Return a post for each photo and clip below a folder, and the number of other files.

    A post's id is the file's path in the folder. Hidden files are not looked at. Raises ValueError
    where there is neither a photo nor a clip.
    """
    rows, others = list[dict[str, Any]](), 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or any(part.startswith(".") for part in name.parts):
            continue
        suffix = path.suffix.lower().removeprefix(".")
        if suffix not in (*PHOTOS, *CLIPS):
            others += 1
            continue
        column = "image" if suffix in PHOTOS else "video"
        rows.append({"id": name.as_posix(), column: name.as_posix()})
    if not rows:
        raise ValueError(
            f"{folder}: no photo or clip, {others} other files; allowed: {', '.join(PHOTOS)}, "
            f"{', '.join(CLIPS)}"
        )
    return posts_table(rows), others


def json_posts(lines: Iterable[str], at_once: int) -> Iterator[pd.DataFrame]:
    """Yield tables of at most `at_once` posts from JSON lines; raises ValueError naming the line.

    A line is an object with some of the keys id, text, image, video, start and end.
    """
    numbers = count(1)
    known: set[str] = set()
    posts = (_post(line, number) for number, line in zip(numbers, lines, strict=False) if line.strip())
    first = 1
    for some in batched(posts, at_once):
        table = posts_table(some, first)
        first += len(table)
        if known.intersection(table["id"]):
            repeated = sorted(known.intersection(table["id"]))[0]
            raise ValueError(f"standard input: two posts have the id {repeated!r}")
        known.update(table["id"])
        yield table


def _post(line: str, number: int) -> dict[str, Any]:
    try:
        post = json.loads(line)
    except ValueError as error:
        raise ValueError(f"standard input: line {number} is not JSON ({error})") from None
    if not isinstance(post, dict):
        raise ValueError(f"standard input: line {number} is no object; write one post a line")
    return post
