"""Posts to predict: what is given is used, or refused by post and key."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.prediction.material import folder_posts
from pipeline.prediction.posts import Posts, posts_table


def test_paths_of_photos_may_have_spaces_around_the_separator() -> None:
    table = posts_table({"image": " a.jpg ; b c.jpg", "text": None})
    assert table["image"].tolist() == ["a.jpg;b c.jpg"]


def test_columns_without_a_value_are_texts_too() -> None:
    table = posts_table({"text": "x"})
    assert {str(table[key].dtype) for key in ("text", "image", "video", "audio")} == {"string"}


def test_ids_are_texts_and_a_post_without_one_gets_its_number() -> None:
    posts: list[dict[str, Any]] = [
        {"id": 900041234567890123, "text": "x"},
        {"id": "b", "text": "y"},
        {"text": "z"},
    ]
    assert posts_table(posts, first=7)["id"].tolist() == ["900041234567890123", "b", "9"]
    table = pd.DataFrame({"id": [1, 2], "text": ["x", "y"]})
    assert posts_table(table)["id"].tolist() == ["1", "2"]


@pytest.mark.parametrize(
    ("posts", "message"),
    [
        ([], "no post; give at least one"),
        ({"txt": "a"}, "unknown key 'txt' (did you mean text?); allowed: id, text"),
        ([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], "two posts have the id 'a'"),
        ({"id": 9.0e17}, "id is 9e+17; allowed: text, a whole number, or nothing"),
        ({"id": ["a"]}, "id is ['a']; allowed"),
        ({"id": True}, "id is True; allowed"),
        ({"text": "a\ud800"}, r"post '1': text is 'a\ud800'; allowed: text, or nothing"),
        ({"text": ["a"]}, "text is ['a']; allowed: text, or nothing"),
        ({"image": "a.jpg", "video": "b.mp4"}, "video is 'b.mp4'; allowed: either an image or a"),
        ({"video": "b.mp4", "start": float("inf")}, "start is inf; allowed: seconds from 0"),
        ({"video": "b.mp4", "end": -1}, "end is -1; allowed: seconds from 0"),
        ({"video": "b.mp4", "start": 5, "end": 2}, "end is 2.0; allowed: a time after start"),
    ],
)
def test_what_cannot_be_used_is_refused_by_post_and_key(posts: Posts, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        posts_table(posts)


@pytest.mark.parametrize("name", [b"a;b.jpg", b" a.jpg", b"bad\xff.jpg"])
def test_a_file_whose_name_no_manifest_could_hold_is_named(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "good.jpg").write_bytes(b"x")
    (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    shown = repr(os.fsdecode(name))[1:-1]
    with pytest.raises(ValueError, match=f"{re.escape(shown)}': its name has .*; rename it$"):
        folder_posts(tmp_path)
