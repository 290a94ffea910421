from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets.annotations import COLUMNS, read_annotations

Make = Callable[..., dict[str, str]]
Write = Callable[..., Path]

HARD = [
    'an odd " quote',
    '"quoted all through"',
    '"',
    "nan",
    "NA",
    "null",
    "",
    "  spaces at both ends  ",
    "mojibake: donâ\x80\x99t Ã©",
    "emoji \U0001f30a, a flag \U0001f1fa\U0001f1f8 and \u0646\u0635",
    "a carriage return \r within",
    "a line separator \u2028 and a next line \x85 within",
    "# not a comment",
    "1e-4",
    "\\N \\t",
]


def test_every_text_comes_back_as_it_stands(tweet: Make, write_annotations: Write) -> None:
    rows = [tweet(k, tweet_text=text) for k, text in enumerate(HARD)]
    table = read_annotations(write_annotations(rows))
    assert table["tweet_text"].tolist() == HARD


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\t\n\0", exclude_categories=["Cs"])))
def test_any_text_without_tab_line_feed_and_nul_comes_back(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "annotations", "flood_final_data.tsv")
        file.parent.mkdir()
        said = {"tweet_text": text, "image_path": "data_image/flood/1_1_2017/1_0.jpg"}
        row = "\t".join(said.get(c, c) for c in COLUMNS)
        file.write_bytes(("\t".join(COLUMNS) + "\n" + row + "\n").encode())
        assert read_annotations(Path(folder))["tweet_text"].tolist() == [text]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_windows_line_ends_and_byte_order_marks_change_nothing(
    tweet: Make, write_annotations: Write, encoding: str, end: str
) -> None:
    plain = read_annotations(write_annotations([tweet(0), tweet(1)]))
    other = read_annotations(write_annotations([tweet(0), tweet(1)], encoding=encoding, end=end))
    assert other.equals(plain)
    assert list(other.columns) == list(COLUMNS)


def test_columns_are_found_by_name_whatever_their_order(
    tweet: Make, write_annotations: Write
) -> None:
    plain = read_annotations(write_annotations([tweet(0), tweet(1)]))
    turned = read_annotations(write_annotations([tweet(0), tweet(1)], columns=COLUMNS[::-1]))
    assert turned.equals(plain)


def test_a_column_more_is_left_out(tweet: Make, write_annotations: Write) -> None:
    rows = [tweet(0) | {"note": "x"}]
    table = read_annotations(write_annotations(rows, columns=("note", *COLUMNS)))
    assert list(table.columns) == list(COLUMNS)
    assert table["tweet_id"].tolist() == ["90000"]


def test_events_are_joined_in_the_order_of_the_paths(tweet: Make, write_annotations: Write) -> None:
    write_annotations([tweet(3), tweet(1)], event="a")
    raw = write_annotations([tweet(2)], event="b")
    assert read_annotations(raw)["tweet_id"].tolist() == ["90001", "90002", "90003"]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(tweet: Make, write_annotations: Write, column: str) -> None:
    raw = write_annotations([tweet(0)], columns=[c for c in COLUMNS if c != column])
    with pytest.raises(ValueError, match=rf"flood_final_data.tsv: column {column} is missing"):
        read_annotations(raw)


def test_a_path_in_two_rows_is_refused(tweet: Make, write_annotations: Write) -> None:
    write_annotations([tweet(0)], event="a")
    raw = write_annotations([tweet(1), tweet(0)], event="b")
    told = "image_path 'data_image/flood/1_1_2017/90000_0.jpg' stands in two rows; keep one"
    with pytest.raises(ValueError, match=re.escape(told)):
        read_annotations(raw)


@pytest.mark.parametrize("text", ["two\nlines", "a\ttab"])
@pytest.mark.parametrize("rows", [1, 3])
def test_a_row_of_too_many_or_too_few_fields_is_refused(
    tweet: Make, write_annotations: Write, text: str, rows: int
) -> None:
    # Every row alike: then a reader may take the first field for a nameless index.
    raw = write_annotations([tweet(k, tweet_text=text) for k in range(rows)])
    with pytest.raises(ValueError, match=r"flood_final_data.tsv: row 2 has \d+ fields, the hea"):
        read_annotations(raw)


def test_a_file_that_ends_within_a_row_is_refused(tweet: Make, write_annotations: Write) -> None:
    raw = write_annotations([tweet(0), tweet(1)])
    (file,) = (raw / "annotations").iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"row 3 has \d+ fields, the header 15"):
        read_annotations(raw)


def test_bytes_that_are_not_utf_8_are_refused(tweet: Make, write_annotations: Write) -> None:
    raw = write_annotations([tweet(0, tweet_text="é")], encoding="latin-1")
    with pytest.raises(ValueError, match=r"flood_final_data.tsv: not a tab-separated UTF-8 table"):
        read_annotations(raw)


def test_no_file_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"annotations holds no \*_final_data.tsv"):
        read_annotations(tmp_path)


def test_the_real_files_come_back_byte_for_byte(shared_data: Path) -> None:
    raw = shared_data / "crisismmd"
    table = read_annotations(raw)
    assert len(table) == 12_198
    lines = [
        line
        for file in (raw / "annotations").glob("*.tsv")
        for line in file.read_bytes().decode().split("\n")[1:]
        if line
    ]
    read = ("\t".join(row) for row in table.itertuples(index=False, name=None))
    assert sorted(read) == sorted(line.rstrip("\r") for line in lines)


@pytest.mark.parametrize(
    "path",
    ["", "/etc/hostname", "data_image", "../1_0.jpg", "data_image/../../1_0.jpg", "a/1_0.jpg"],
)
def test_a_photo_outside_its_folder_is_refused(tmp_path: Path, path: str) -> None:
    file = tmp_path / "annotations" / "flood_final_data.tsv"
    file.parent.mkdir()
    row = "\t".join(path if c == "image_path" else c for c in COLUMNS)
    file.write_text("\t".join(COLUMNS) + "\n" + row + "\n")
    with pytest.raises(ValueError, match="allowed: a path below data_image/"):
        read_annotations(tmp_path)


def test_files_that_a_mac_adds_are_not_annotations(tmp_path: Path) -> None:
    folder = tmp_path / "annotations"
    folder.mkdir()
    (folder / "._flood_final_data.tsv").write_bytes(b"\0\5\x16\7")
    with pytest.raises(ValueError, match="holds no"):
        read_annotations(tmp_path)
