"""Posts to predict: from mappings or a table to the columns of an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from pipeline.datasets.posts import image_paths
from pipeline.ground.checked_yaml import did_you_mean
from pipeline.ground.data_set import SEPARATOR

# One post, several, or a table of them.
Posts = Mapping[str, Any] | Sequence[Mapping[str, Any]] | pd.DataFrame

KEYS = ("id", "text", "image", "video", "start", "end")
TEXTS = KEYS[:4]


def posts_table(posts: Posts, first: int = 1) -> pd.DataFrame:
    """Return a table with the columns id, text, image, video, audio, start and end.

    A post without an `id` gets its number, counted from `first`. A clip's sound is its audio.
    Raises ValueError naming post and key.
    """
    if not isinstance(posts, pd.DataFrame):
        rows = [posts] if isinstance(posts, Mapping) else list(posts)
        posts = pd.DataFrame([dict(row) for row in rows], dtype=object)
    if posts.empty:
        raise ValueError("no post; give at least one")
    for key in posts.columns:
        if key not in (*KEYS, "audio"):
            close = did_you_mean(str(key), KEYS)
            raise ValueError(f"unknown key {key!r}{close}; allowed: {', '.join(KEYS)}")
    table = posts.reindex(columns=list(KEYS)).reset_index(drop=True)
    numbers = pd.Series([str(first + row) for row in range(len(table))])
    table["id"] = table["id"].astype(object).where(table["id"].notna(), numbers)
    _refuse(table, "id", ~table["id"].map(_is_name), "text, a whole number, or nothing")
    table["id"] = table["id"].astype(str)
    if (repeated := table["id"][table["id"].duplicated()]).size:
        raise ValueError(f"two posts have the id {repeated.iloc[0]!r}; give each its own")
    for key in TEXTS[1:]:
        known = table[key].notna()
        _refuse(table, key, known & ~table[key].map(_is_text), "text, or nothing")
        table[key] = table[key].astype("string")
        if key != "text":  # an empty text is reported, a path that is not given is not
            table[key] = table[key].mask(table[key] == "")
    table["image"] = table["image"].map(_without_spaces, na_action="ignore").astype("string")
    both = table["image"].notna() & table["video"].notna()
    _refuse(table, "video", both, "either an image or a video; give the other a post of its own")
    _check_span(table)
    return table.assign(audio=table["video"])


def _is_name(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, Integral) and not isinstance(value, bool))


def _is_text(value: Any) -> bool:
    # Half of a surrogate pair, which JSON and names of files may hold, is no letter.
    return isinstance(value, str) and value == value.encode(errors="replace").decode()


def _without_spaces(paths: str) -> str:
    return SEPARATOR.join(image_paths(paths))


def _check_span(table: pd.DataFrame) -> None:
    """Replace start and end by seconds."""
    for key in ("start", "end"):
        seconds = pd.to_numeric(table[key], errors="coerce").astype("Float64")
        right = ((seconds >= 0) & (seconds < np.inf)).fillna(False)
        _refuse(table, key, table[key].notna() & ~right, "seconds from 0")
        table[key] = seconds
    backwards = (table["end"] <= table["start"].fillna(0)).fillna(False)
    _refuse(table, "end", backwards, "a time after start")


def _refuse(table: pd.DataFrame, key: str, wrong: pd.Series, allowed: str) -> None:
    if wrong.any():
        row = table[wrong.astype(bool)].iloc[0]
        value = row[key].item() if isinstance(row[key], np.generic) else row[key]
        raise ValueError(f"post {row['id']!r}: {key} is {value!r}; allowed: {allowed}")
