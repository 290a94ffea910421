"""A posts manifest is read strictly: each wrong value names its file, row, column and cure."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.datasets.posts import COLUMNS, image_paths, read_labelled_posts, read_posts

HEADER = "id,text,image,video,start,end,group,flood,damage\n"
GOOD = "900041234567890123,Water in Houston,a.jpg,,,,g,1,severe\n"
TASKS = "damage:\n  classes: [none, mild, severe]\n  negative: none\n"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_files(text: str | bytes, tasks: str = TASKS) -> Path:
        if tasks:
            (tmp_path / "tasks.yaml").write_text(tasks)
        path = tmp_path / "posts.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_files


def refusal(path: Path) -> str:
    with pytest.raises(ValueError, match=r"^/") as caught:
        read_labelled_posts(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path.parent}/")


def test_every_column_comes_back_typed(write: Write) -> None:
    table, tasks = read_labelled_posts(
        write(HEADER + GOOD + "b,,,v.mp4,1.5,3,,,\nc,,a.jpg; b/c.png,,,,,0,none\n")
    )
    assert table["id"].tolist() == ["900041234567890123", "b", "c"]
    assert table["text"].tolist() == ["Water in Houston", None, None]
    assert table["image"].tolist() == ["a.jpg", None, "a.jpg; b/c.png"]
    assert table["video"].tolist() == [None, "v.mp4", None]
    assert table["start"].tolist() == [pd.NA, 1.5, pd.NA]
    assert table["group"].tolist() == ["g", None, None]
    assert table["flood"].tolist() == [1, pd.NA, 0]
    assert table["damage"].tolist() == [2, pd.NA, 0]  # a class of the name "none" is no empty cell
    assert tasks == [
        {"name": "flood", "classes": ("absent", "present"), "negative": "absent"}
        | {"head": "sigmoid"},
        {"name": "damage", "classes": ["none", "mild", "severe"], "negative": "none"},
    ]


@pytest.mark.parametrize("content", ["text", "image", "video"])
def test_id_and_one_content_are_enough(write: Write, content: str) -> None:
    table, _ = read_labelled_posts(write(f"id,{content},flood\na,x,1\n", ""))
    assert list(table.columns) == [*COLUMNS, "flood"]


def test_for_prediction_labels_are_neither_needed_nor_checked(write: Write) -> None:
    table = read_posts(write(f"{HEADER}a,words,,,,,,perhaps,unheard of\n"))
    assert table.loc[0, ["flood", "damage"]].tolist() == ["perhaps", "unheard of"]
    assert len(read_posts(write("id,text\na,words\n"))) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: text.replace(",1,severe", ",TRUE,severe").encode(),
        lambda text: text.replace(",1,severe", ",1.0, severe ").encode(),
        lambda text: text.replace(",,,,g", ",NA,nan,NaN,g").encode(),
    ],
)
def test_the_habits_of_spreadsheets_and_pandas_change_nothing(
    write: Write, change: Callable[[str], bytes]
) -> None:
    expected, _ = read_labelled_posts(write(HEADER + GOOD))
    table, _ = read_labelled_posts(write(change(HEADER + GOOD)))
    pd.testing.assert_frame_equal(table, expected)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("9.00041E+17,x,,,,,,1,", "row 3, column id is '9.00041E+17'; allowed: the whole id. Was"),
        ("900041234567890000.0,x,,,,,,1,", "row 3, column id is '900041234567890000.0'; allowed:"),
        ("b,x,,,,,9.0E+17,1,", "row 3, column group is '9.0E+17'; allowed: the whole id"),
        ("900041234567890123,x,,,,,,1,", "row 3, column id is '900041234567890123'; allowed: an"),
        (",x,,,,,,1,", "row 3, column id is ''; allowed: a name without slashes"),
        ("b,x,../b.jpg,,,,,1,", "row 3, column image is '../b.jpg'; allowed: a path below the"),
        ("b,x,a.jpg;/b.jpg,,,,,1,", "row 3, column image is 'a.jpg;/b.jpg'; allowed: a path below"),
        ("b,x,a.jpg;,,,,,1,", "row 3, column image is 'a.jpg;'; allowed: a path below"),
        ("b,x,c\\b.jpg,,,,,1,", r"row 3, column image is 'c\\b.jpg'; allowed: a path below the"),
        ("b,x,/b.jpg,,,,,1,", "row 3, column image is '/b.jpg'; allowed: a path below the"),
        ("b,x,http://h/b.jpg,,,,,1,", "row 3, column image is 'http://h/b.jpg'; allowed: a path"),
        ("b,x,,https://h/b,,,,1,", "row 3, column video is 'https://h/b'; allowed: a path below "),
        ("b,x,b.jpg,b.mp4,,,,1,", "row 3, column video is 'b.mp4'; allowed: either an image or"),
        ("b,x,b.jpg,,1,,,1,", "row 3, column start is '1'; allowed: empty, where there is no vi"),
        ("b,x,,b.mp4,1:30,,,1,", "row 3, column start is '1:30'; allowed: seconds from 0"),
        ("b,x,,b.mp4,2,1,,1,", "row 3, column end is '1'; allowed: a time after start"),
        ("b,x,,,,,,2,", "row 3, column flood is '2'; allowed: 0, 1 or empty (also 0.0, 1.0, FALS"),
        ("b,x,,,,,,1,sever", "row 3, column damage is 'sever'; allowed: none, mild, severe, or e"),
        ("b,x,,,,,,1", "row 3 has 8 fields, the header 9; put a text that holds"),
    ],
)
def test_a_wrong_value_names_its_row_and_column(write: Write, row: str, message: str) -> None:
    assert refusal(write(f"{HEADER}{GOOD}{row}\n")).startswith(f"posts.csv: {message}")


def test_an_unknown_class_comes_with_the_closest_known_one(write: Write) -> None:
    text = refusal(write(f"{HEADER}b,x,,,,,,1,sever\n"))
    assert text.endswith("allowed: none, mild, severe, or empty (did you mean severe?)")


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("text,flood\nx,1\n", "column id is missing; the header is ['text', 'flood']"),
        ("id,flood\na,1\n", "no column text, image or video; add at least one of them"),
        ("id,text\na,x\n", "no task column; add one per task, of 1, 0 and empty, or of class"),
        ("id,text,flood\n", "no post; add one row per post below the header"),
        ("", "column id is missing; the header is []"),
        (",id,text,flood\n0,a,x,1\n", "column ''; allowed: letters, digits, _ and -"),
        ("id,text,event\na,x,1\n", "column 'event'; allowed: letters, digits, _ and -"),
        ("id,text,unsure\na,x,1\n", "column 'unsure'; allowed: letters, digits, _ and -"),
        ("id,text,text,flood\na,x,x,1\n", "columns 2 and 3 are named 'text' and 'text'"),
        ("id,text,flood\na,Überflutung,1\n".encode("latin-1"), "line 2 is not UTF-8 (invalid con"),
        ("id,text,flood\na,x,1\n".encode("utf-16"), "line 1 is not UTF-8"),
    ],
)
def test_a_wrong_manifest_names_its_cure(write: Write, manifest: str | bytes, message: str) -> None:
    assert refusal(write(manifest, "")).startswith(f"posts.csv: {message}")


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ("damages: {classes: [a, b]}", "task 'damages' is no column of posts.csv (did you mean da"),
        ("damage: {classes: [a]}", "damage.classes is ['a']; allowed: at least 2 items"),
        ("damage: {classes: [a, b, a]}", "damage.classes names a class twice; remove one"),
        ("damage: {classes: [a, b], negative: c}", "damage.negative is 'c'; allowed: a, b"),
        ("damage: {classes: [a, 2]}", "damage.classes.1 is 2; allowed: a valid string"),
        (
            "damage: {classes: [a, b], negativ: a}",
            "unknown key damage.negativ (did you mean negative?)",
        ),
        (
            "damage: [a, b]",
            "damage is ['a', 'b']; allowed: a mapping of the keys classes, negative",
        ),
        ("damage: {classes: [a, b}", "not valid YAML"),
        ("# nothing", "the file is None; allowed: a mapping of names"),
    ],
)
def test_a_wrong_tasks_file_names_its_key(write: Write, tasks: str, message: str) -> None:
    text = refusal(write(HEADER + GOOD.replace("severe", ""), tasks))
    assert message in text
    assert text.startswith("tasks.yaml: ")


def test_several_photos_are_divided_at_semicolons() -> None:
    assert image_paths("a.jpg; b/c d.png") == ["a.jpg", "b/c d.png"]
    assert image_paths("") == []


def test_the_message_of_an_address_says_where_addresses_are_allowed(write: Write) -> None:
    text = refusal(write(f"{HEADER}b,x,,https://h/b,,,,1,\n"))
    assert re.search(r"Addresses are for a manifest of clips \(docs/youtube\.md\)$", text)
