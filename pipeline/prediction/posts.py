"""Posts to predict: from mappings or a table to the columns of an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.ground.checked_yaml import did_you_mean

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
    table["id"] = table["id"].astype(object).where(table["id"].notna(), numbers).astype(str)
    if (repeated := table["id"][table["id"].duplicated()]).size:
        raise ValueError(f"two posts have the id {repeated.iloc[0]!r}; give each its own")
    for key in TEXTS[1:]:
        _check_texts(table, key)
        table[key] = table[key].astype("string")
        if key != "text":  # an empty text is reported, a path that is not given is not
            table[key] = table[key].mask(table[key] == "")
    for key in ("start", "end"):
        table[key] = _seconds(table, key)
    return table.assign(audio=table["video"])


def _check_texts(table: pd.DataFrame, key: str) -> None:
    wrong = ~table[key].map(lambda value: pd.isna(value) or isinstance(value, str))
    if wrong.any():
        row = table[wrong].iloc[0]
        raise ValueError(f"post {row['id']!r}: {key} is {row[key]!r}; allowed: text, or nothing")


def _seconds(table: pd.DataFrame, key: str) -> pd.Series:
    values = pd.to_numeric(table[key], errors="coerce").astype("Float64")
    wrong = (table[key].notna() & values.isna()) | (values < 0).fillna(False)
    if wrong.any():
        row = table[wrong].iloc[0]
        raise ValueError(f"post {row['id']!r}: {key} is {row[key]!r}; allowed: seconds from 0")
    return values
