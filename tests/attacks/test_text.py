"""Tables that are not what they should be: read as they were meant, or refused by file and row."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from pipeline.datasets import split_files
from pipeline.datasets.annotations import COLUMNS, read_annotations
from pipeline.datasets.index import index_crisismmd

attack = pytest.mark.attack

NAMES = list(COLUMNS)


def row(number: int, **values: str) -> list[str]:
    known = {
        "tweet_id": f"9{number}",
        "image_id": f"9{number}_0",
        "text_info": "informative",
        "image_info": "informative",
        "text_human": "not_humanitarian",
        "image_human": "not_humanitarian",
        "tweet_text": f"text {number}",
        "image_path": f"data_image/flood/1_1_2017/9{number}_0.jpg",
        **values,
    }
    return [known.get(name, "nan") for name in NAMES]


ROWS = [row(number) for number in range(8)]


def write(
    raw: Path,
    rows: Sequence[Sequence[str]] = ROWS,
    names: Sequence[str] = NAMES,
    end: str = "\n",
    begin: str = "",
) -> Path:
    """Write one event's table; returns its file."""
    file = raw / "annotations" / "flood_final_data.tsv"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = begin + "".join("\t".join(line) + end for line in [list(names), *rows])
    file.write_bytes(text.encode())
    return file


@pytest.fixture
def plain(tmp_path: Path) -> pd.DataFrame:
    write(tmp_path / "plain")
    return read_annotations(tmp_path / "plain")


@attack("Text", "annotations: a byte-order mark", "is not taken for a part of the first name")
def test_a_byte_order_mark(plain: pd.DataFrame, tmp_path: Path) -> None:
    write(tmp_path / "raw", begin="\ufeff")
    assert read_annotations(tmp_path / "raw").equals(plain)


@attack("Text", "annotations: lines that end in CRLF", "are read as lines that end in LF")
def test_crlf(plain: pd.DataFrame, tmp_path: Path) -> None:
    write(tmp_path / "raw", end="\r\n")
    assert read_annotations(tmp_path / "raw").equals(plain)


@attack("Text", "annotations: columns in another order", "are found by name")
def test_another_order_of_columns(plain: pd.DataFrame, tmp_path: Path) -> None:
    write(tmp_path / "raw", [line[::-1] for line in ROWS], NAMES[::-1])
    assert read_annotations(tmp_path / "raw").equals(plain)


@attack(
    "Text",
    "annotations: a missing column",
    "{file}: column image_path is missing (found {found})",
)
def test_a_missing_column(tmp_path: Path, ends: str) -> None:
    file = write(tmp_path / "raw", [line[:-1] for line in ROWS], NAMES[:-1])
    assert told(tmp_path / "raw") == ends.format(file=file, found=NAMES[:-1])


def told(raw: Path) -> str:
    with pytest.raises(ValueError, match="raw") as caught:
        read_annotations(raw)
    return str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(line, id=tried, marks=attack("Text", f"annotations: {tried}", ends))
        for tried, line, ends in [
            (
                "a NUL byte",
                row(9, tweet_text="te\0xt"),
                "{file}: row 10 holds a NUL byte; fetch it again",
            ),
            (
                "a row with a field too many",
                [*row(9), "more"],
                "{file}: row 10 has 16 fields, the header 15; a tweet must hold no tab and no "
                "line feed",
            ),
            (
                "an image path that leads up",
                row(9, image_path="data_image/../../x.jpg"),
                "{file}: row 10, image_path is 'data_image/../../x.jpg'; allowed: a path below "
                "data_image/",
            ),
            (
                "an absolute image path",
                row(9, image_path="/etc/passwd"),
                "{file}: row 10, image_path is '/etc/passwd'; allowed: a path below data_image/",
            ),
            (
                "an image path that stands in two rows",
                row(3),
                "{folder}: image_path 'data_image/flood/1_1_2017/93_0.jpg' stands in two rows; "
                "keep one",
            ),
        ]
    ],
)
def test_a_row_is_refused_by_number(tmp_path: Path, line: list[str], ends: str) -> None:
    file = write(tmp_path / "raw", [*ROWS, line])
    assert told(tmp_path / "raw") == ends.format(file=file, folder=file.parent)


@attack(
    "Text",
    "annotations: an id that stands in two rows",
    "id '93_0' stands in two rows; each sample needs its own",
)
def test_a_repeated_id(tmp_path: Path, ends: str) -> None:
    again = row(9, image_path="data_image/flood/2_1_2017/93_0.jpg")
    write(tmp_path / "raw", [*ROWS, again])
    with pytest.raises(ValueError, match="stands in two rows") as caught:
        index_crisismmd(tmp_path / "raw", "agreed")
    assert str(caught.value) == ends


@attack(
    "Text",
    "annotations: bytes that are no UTF-8",
    "{file}: not a tab-separated UTF-8 table ('utf-8' codec can't decode byte 0xff in position "
    "{position}: invalid start byte)",
)
def test_other_bytes(tmp_path: Path, ends: str) -> None:
    file = write(tmp_path / "raw")
    position = len(file.read_bytes())
    file.write_bytes(file.read_bytes() + b"\xff\n")
    assert told(tmp_path / "raw") == ends.format(file=file, position=position)


@attack(
    "Text",
    "split files: a zip member that unpacks to gigabytes",
    "{file}: task_damage_text_img_dev.tsv unpacks to more than {most} bytes",
)
def test_a_zip_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    monkeypatch.setattr(split_files, "LARGEST", 1 << 20)
    file = tmp_path / "crisismmd_datasplit_all.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/task_damage_text_img_dev.tsv", bytes(2 << 20))
    with pytest.raises(ValueError, match="unpacks to") as caught:
        split_files.copy_splits(tmp_path, tmp_path / "splits")
    assert str(caught.value) == ends.format(file=file, most=f"{1 << 20:,}")


@attack("Text", "split files: a zip member that leads up", "only the last part of its name is used")
def test_a_zip_member_that_leads_up(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with zipfile.ZipFile(source / "crisismmd_datasplit_all.zip", "w") as archive:
        archive.writestr("../../task_damage_text_img_dev.tsv", "image\n")
        archive.writestr("/tmp/evil.tsv", "image\n")
    split_files.copy_splits(source, tmp_path / "splits")
    assert [path.name for path in (tmp_path / "splits").iterdir()] == [
        "task_damage_text_img_dev.tsv"
    ]
