"""Rows of an index, or of posts, become the items of a modality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.features.items import items_of, reader_of
from pipeline.features.recipe import Item

ROOT = Path("raw")
EMPTY = dict.fromkeys(("text", "image", "video", "audio", "start", "end"))


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([{**EMPTY, "id": f"p{k}", **row} for k, row in enumerate(rows)])


POSTS = table(
    {"text": "flood", "image": "a.jpg"},
    {"image": "a.jpg; b/c.png"},
    {"text": "", "video": "v.mp4", "audio": "v.mp4", "start": 1.5},
)


def test_a_row_without_the_modality_has_no_item() -> None:
    assert items_of(POSTS, "text", ROOT) == [Item("p0", text="flood"), Item("p2", text="")]
    assert [item.id for item in items_of(POSTS, "visual", ROOT)] == ["p0", "p1", "p2"]
    assert items_of(POSTS.iloc[:2], "audio", ROOT) == []


def test_several_photos_are_one_item() -> None:
    one, several, _ = items_of(POSTS, "visual", ROOT)
    assert one == Item("p0", path=ROOT / "a.jpg", form="photo")
    assert several.paths == (ROOT / "a.jpg", ROOT / "b/c.png")


def test_a_clip_has_its_span() -> None:
    clip = Item("p2", path=ROOT / "v.mp4", start=1.5, form="clip")
    assert items_of(POSTS, "visual", ROOT)[2] == clip
    assert items_of(POSTS, "audio", ROOT) == [clip]


@pytest.mark.parametrize(
    ("rows", "reader"), [([0, 1], "photo"), ([2], "clip"), ([0, 2], "post"), ([], "photo")]
)
def test_the_reader_of_a_set_is_that_of_its_files(rows: list[int], reader: str) -> None:
    assert reader_of(POSTS.iloc[rows]) == reader
