"""Texts in a table for people are no formulas and no escapes, and come back exactly."""

from __future__ import annotations

import csv
import tempfile
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.ground.csv_tables import read_csv, write_csv

FORMULAS = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1", "'=1", "''@a"]


def written(path: Path, text: str) -> str:
    """The one cell of a table, as the standard library reads it."""
    write_csv(path, pd.DataFrame({"text": [text]}, dtype=object))
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1][0]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_as_a_formula(tmp_path: Path, text: str) -> None:
    assert written(tmp_path / "a.csv", text)[0] in "'\\"


def test_no_column_begins_as_a_formula(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", pd.DataFrame({"-1.predicted": ["a"], "id": ["b"]}))
    assert (tmp_path / "a.csv").read_text().startswith("'-1.predicted,id\n")


@pytest.mark.parametrize("text", ["a;=1", "a\t@x", "a\n -1", 'a;"=1', "a;\uff1d1"])
def test_no_formula_follows_what_separates_cells_in_some_languages(
    tmp_path: Path, text: str
) -> None:
    assert written(tmp_path / "a.csv", text).startswith("a\\x")


def test_an_ordinary_text_is_written_as_it_is(tmp_path: Path) -> None:
    for text in ('a, "b"\nc', "'tis", "C:\\new\\x", "1e-4", "nan", "洪水 बाढ़ 👩\u200d👧"):
        assert written(tmp_path / "a.csv", text) == text


@given(st.text(max_size=20), st.sampled_from(["", "'", "=", "-", "\\", "\\x1b", "\\u202e"]))
@example("\ud800", "")
def test_every_text_comes_back_and_no_cell_holds_a_control_character(text: str, first: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        cell = written(path, first + text)
        assert read_csv(path, ["text"]) == [[first + text]]
    assert {c for c in cell if unicodedata.category(c) in ("Cc", "Cs")} <= {"\n", "\t"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a table of a, b"),
        (b"a,c\n1,2\n", "not a table of a, b"),
        (b"a,b\n1\n", "not a table of a, b"),
        (b'a,b\n1,"2\n', "unexpected end of data"),
        (b"a,b\n1,\xff\n", "'utf-8' codec can't decode"),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{tmp_path}/a.csv is damaged \({reason}.*again$"):
        read_csv(tmp_path / "a.csv", ["a", "b"])


def test_numbers_stay_numbers(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", pd.DataFrame({"score": [-0.5, None], "count": [-1, 2]}))
    assert (tmp_path / "a.csv").read_text() == "score,count\n-0.5,-1\n,2\n"
