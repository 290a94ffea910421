from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.datasets.youtube import read_samples
from pipeline.inputs.manifest import (
    RESERVED,
    address,
    concepts,
    copy_manifest,
    is_source,
    read_manifest,
)

HEADER = "id,source,start,end,description,damage,victim\n"
GOOD = "a,a.mp4,,,first,1,0\n"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_text(text: str) -> Path:
        path = tmp_path / "manifest.csv"
        path.write_bytes(text.encode())
        return path

    return write_text


def test_every_column_comes_back_typed(write: Write) -> None:
    table = read_manifest(write(HEADER + "a,a.mp4,1.5,3,first,1,\nb,b.mp4,,,,,0\n"))
    assert table["id"].tolist() == ["a", "b"]
    assert table["description"].tolist() == ["first", ""]
    assert table["start"].tolist() == [1.5, pd.NA]
    assert table["end"].tolist() == [3.0, pd.NA]
    assert table["damage"].tolist() == [1, pd.NA]
    assert table["victim"].tolist() == [pd.NA, 0]
    assert (table["damage"].dtype, table["start"].dtype) == ("Int64", "Float64")


def test_empty_lines_are_no_rows(write: Write) -> None:
    assert read_manifest(write((HEADER + GOOD).replace("\n", "\n\n")))["id"].tolist() == ["a"]


def test_concepts_are_in_the_files_order(write: Write) -> None:
    table = read_manifest(write("zebra,id,source,apple,start,end,description\n1,a,a.mp4,0,,,x\n"))
    assert concepts(table) == ["zebra", "apple"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("9.0E+17,b,,,x,1,0", "row 3, column id is '9.0E+17'; allowed: the whole id. Was the"),
        *[
            (f"{name},b,,,x,1,0", f"row 3, column id is {name!r}; allowed: no other row's id with")
            for name in ("a.MKV", "A.mp4", "\uff41.ts")
        ],
        (f"{'é' * 101},b.mp4,,,x,1,0", f"row 3, column id is {'é' * 101!r}; allowed: a name"),
        *[
            (f'"{name}",b.mp4,,,x,1,0', f"row 3, column id is {name!r}; allowed: a name without")
            for name in (
                *("", " ", "x/y", "..", ".hidden", "x\\y"),
                *("\x1b[31m", "a\tb", "a\rb", "a\u202egpj", "a\u2028b", "\x9b2J"),
            )
        ],
        *[
            (f"b,{source},,,x,1,0", f"row 3, column source is {source!r}; allowed: a path below")
            for source in ("", " ", "http://")  # tests/attacks/test_lists.py has more
        ],
        *[
            (f"b,b.mp4,{time},,x,1,0", f"row 3, column start is {time!r}; allowed: seconds from 0")
            for time in ("-1", "1:30", "nan", "inf", "1e400", "True")
        ],
        ("b,b.mp4,,inf,x,1,0", "row 3, column end is 'inf'; allowed: seconds from 0, or empty"),
        ("b,b.mp4,2,1.50,x,1,0", "row 3, column end is '1.50'; allowed: a time after start"),
        ("b,b.mp4,2,2,x,1,0", "row 3, column end is '2'; allowed: a time after start"),
        ("b,b.mp4,,0,x,1,0", "row 3, column end is '0'; allowed: a time after start"),
        *[
            (f"b,b.mp4,,,x,1,{value}", f"row 3, column victim is {value!r}; allowed: 0, 1 or empty")
            for value in ("2", "yes", "1.5", "-1", "01", "t", "?")
        ],
        ("b,b.mp4,,,x, and y,1,0", "row 3 has 8 fields, the header 7; put a text that holds"),
        ("b,b.mp4,,,x,1", "row 3 has 6 fields, the header 7; put a text that holds"),
    ],
)
def test_a_wrong_value_names_its_row_and_column(write: Write, row: str, message: str) -> None:
    path = write(f"{HEADER}{GOOD}{row}\n")
    with pytest.raises(ValueError, match=re.escape(f"{path}: {message}")):
        read_manifest(path)


@pytest.mark.parametrize("column", ["id", "source", "start", "end", "description"])
def test_a_missing_column_is_named(write: Write, column: str) -> None:
    names = [name for name in HEADER.strip().split(",") if name != column]
    path = write(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n")
    with pytest.raises(ValueError, match=rf"manifest.csv: column {column} is missing"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["1.0", "0.0", ""], [1, 0, pd.NA]),
        (["TRUE", "False", "1.00"], [1, 0, 1]),
        (["nan", "NA", "None"], [pd.NA] * 3),
        ([" 1", "0 ", " "], [1, 0, pd.NA]),
    ],
)
def test_a_label_is_read_as_pandas_and_spreadsheets_write_it(
    write: Write, values: list[str], labels: list[object]
) -> None:
    rows = (f"{n},a.mp4,,,x,1,{value}\n" for n, value in enumerate(values))
    assert read_manifest(write(HEADER + "".join(rows)))["victim"].tolist() == labels


@pytest.mark.parametrize(
    ("first", "second"),
    [("a", "a"), ("a", "A"), ("é", "e\u0301"), ("É", "e\u0301"), ("Straße", "STRASSE")],
)
def test_ids_that_one_disk_may_take_for_one_are_refused_and_both_named(
    write: Write, first: str, second: str
) -> None:
    path = write(f"{HEADER}x,x.mp4,,,,1,0\n{first},b,,,x,1,0\n{second},a,,,x,1,0\n")
    expected = (
        f"{path}: row 4, column id is {second!r}; allowed: an id that differs in more than "
        f"capitals or Unicode's form from {first!r} in row 3"
    )
    with pytest.raises(ValueError, match=re.escape(expected)):
        read_manifest(path)


@pytest.mark.parametrize("origin", ["9.00041E+17", "9,00041e+17", "900041234567890000.0"])
def test_a_rounded_origin_is_refused(write: Write, origin: str) -> None:
    path = write(f'origin,{HEADER}"{origin}",{GOOD}')
    message = f"row 2, column origin is {origin!r}; allowed: the whole id. Was the table opened in"
    with pytest.raises(ValueError, match=re.escape(message)):
        read_manifest(path)


@pytest.mark.parametrize("name", ["Damage", "damage", "\uff44amage"])
def test_two_columns_of_one_name_are_refused_and_both_named(write: Write, name: str) -> None:
    expected = rf"columns 6 and 7 are named 'damage' and '{name}'; rename or delete one$"
    with pytest.raises(ValueError, match=expected):
        read_manifest(write(HEADER.replace("victim", name) + GOOD))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER, "no clip; add one row"),
        ("", "column id is missing; the header is"),
        ("id,source,start,end,description\na,a.mp4,,,x\n", "no concept column"),
        (HEADER + 'a,a.mp4,,,"never closed,1,0\n', "line 2 is not CSV"),
    ],
)
def test_what_is_no_manifest_is_refused(write: Write, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_manifest(write(text))


@pytest.mark.parametrize("text", ["x" * 200_000, "half of a pair: \ud800", "\0", None])
def test_an_error_of_a_copy_names_the_original(
    write: Write, tmp_path: Path, text: str | None
) -> None:
    original = write(HEADER + GOOD)
    table = (
        read_manifest(original).astype(object).assign(description=pd.Series([text], dtype=object))
    )
    with pytest.raises(ValueError, match=rf"^{original} cannot be copied: ") as caught:
        copy_manifest(table, tmp_path / "copy.csv", original)
    assert "copy.csv" not in str(caught.value)


def test_each_concept_is_a_sigmoid_task_and_each_clip_a_sample(write: Write) -> None:
    raw = write(HEADER + "a,clips/a.mp4,1,2,first,1,\n").parent
    samples, tasks = read_samples(raw)
    assert tasks == [
        {"name": name, "classes": ("absent", "present"), "negative": "absent", "head": "sigmoid"}
        for name in ("damage", "victim")
    ]
    assert samples.to_dict("records") == [
        {
            "id": "a",
            "text": "first",
            "video": "clips/a.mp4",
            "audio": "clips/a.mp4",
            "start": 1.0,
            "end": 2.0,
            "origin": "clips/a.mp4",
            "damage": 1,
            "victim": None,
        }
    ]


@pytest.mark.parametrize(
    "name",
    [
        *("", *RESERVED),
        *("../../escaped", "a/b", ".hidden", "damage.predicted", "-x", "a b", "=x", "@x"),
        *("a\x1b[2J", "a\u202eb", "a\u200db", "\u0301a", "a\ufeff", "a" * 101, "é" * 51),
    ],
)
def test_a_concept_is_a_free_name_that_a_file_can_have(write: Write, name: str) -> None:
    message = f"column {name!r}; allowed: letters, digits, _ and -, a letter or digit first"
    with pytest.raises(ValueError, match=re.escape(message)):
        read_manifest(write(HEADER.replace("victim", name) + GOOD))


@pytest.mark.parametrize("name", ["बाढ़_2024", "洪水-a", "inundacio\u0301n", "é" * 50])
def test_a_concept_may_be_a_word_of_any_script(write: Write, name: str) -> None:
    table = read_manifest(write(HEADER.replace("victim", name) + GOOD))
    assert concepts(table) == ["damage", name]


def test_ids_may_differ_in_a_part_of_a_second(write: Write) -> None:
    rows = ("a_0_12,a.mp4,,,x,1,0", "a_0_12.5,b.mp4,,,x,1,0")
    table = read_manifest(write(HEADER + "".join(f"{row}\n" for row in rows)))
    assert table["id"].tolist() == ["a_0_12", "a_0_12.5"]


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("dQw4w9WgXcQ", "https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
        ("--exec_bad-", "https://www.youtube.com/watch?v=--exec_bad-"),  # never an option
        ("https://youtu.be/dQw4w9WgXcQ", "https://youtu.be/dQw4w9WgXcQ"),
        ("HTTP://127.0.0.1:8000/a.mp4", "HTTP://127.0.0.1:8000/a.mp4"),
        ("clips/a.mp4", None),
        ("/films/a.mp4", None),
        ("C:\\films\\a.mp4", None),
        ("--exec", None),
        ("ytsearch:floods", None),
        ("dQw4w9WgXc.", None),
        ("dQw4w9WgXcQQ", None),
        ("dQw4w9WgXc\u00e9", None),
    ],
)
def test_a_source_is_a_path_an_address_or_an_id(
    tmp_path: Path, source: str, url: str | None
) -> None:
    assert is_source(source)
    assert address(source, tmp_path) == url


def test_a_file_of_eleven_letters_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "floodfilm-1").touch()
    assert address("floodfilm-1", tmp_path) is None
    assert address("floodfilm-2", tmp_path) is not None
