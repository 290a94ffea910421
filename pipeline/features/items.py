"""From rows of an index, or of posts, to the items of one modality."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.features.recipe import Item
from pipeline.features.visual import Reader
from pipeline.ground.data_set import SEPARATOR


def items_of(table: pd.DataFrame, modality: str, root: Path) -> list[Item]:
    """Return the items of the rows that have the modality, in the table's order.

    `table` has the columns id, text, image, video, audio, start and end of an index; its paths are
    relative to `root`. An image may be several paths. A row's photos are its visual item, or else
    its video is.
    """
    makers = {"text": _text, "visual": _visual, "audio": _audio}
    made = (makers[modality](row, root) for row in table.to_dict("records"))
    return [item for item in made if item is not None]


def reader_of(table: pd.DataFrame) -> Reader:
    """Return how a set's visual items are read: all as photos, all as clips, or each as what it is.

    A set without a photo or clip counts as one of photos.
    """
    photos, clips = (bool(table[column].notna().any()) for column in ("image", "video"))
    if photos and clips:
        return "post"
    return "clip" if clips else "photo"


def _text(row: dict[Hashable, Any], root: Path) -> Item | None:
    return None if pd.isna(row["text"]) else Item(row["id"], text=row["text"])


def _visual(row: dict[Hashable, Any], root: Path) -> Item | None:
    if pd.isna(row["image"]):
        return _clip(row, root, "video")
    first, *more = (root / path.strip() for path in row["image"].split(SEPARATOR))
    return Item(row["id"], path=first, more=tuple(more), form="photo")


def _audio(row: dict[Hashable, Any], root: Path) -> Item | None:
    return _clip(row, root, "audio")


def _clip(row: dict[Hashable, Any], root: Path, column: str) -> Item | None:
    if pd.isna(row[column]):
        return None
    start, end = (None if pd.isna(row[name]) else float(row[name]) for name in ("start", "end"))
    return Item(row["id"], path=root / row[column], start=start, end=end, form="clip")
