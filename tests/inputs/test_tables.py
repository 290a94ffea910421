"""Text tables are read exactly as they are written, or refused by file and row."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.inputs.tables import read_table

HARD = [
    'an odd " quote',
    '"quoted all through"',
    "nan",
    "NA",
    "",
    "  spaces at both ends  ",
    "mojibake: donâ\x80\x99t Ã©",
    "emoji \U0001f30a and \u0646\u0635",
    "a carriage return \r within",
    "a line separator \u2028 and a next line \x85 within",
    "# not a comment",
    "1e-4",
    "\\N",
]
PAIRS = list(zip(HARD, HARD[::-1], strict=True))


def read_plain(path: Path, text: str, **options: str) -> list[list[str]]:
    path.write_bytes(text.encode(**options))
    return read_table(path, quoting=False).to_numpy().tolist()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_without_quoting_every_text_comes_back(tmp_path: Path, encoding: str, end: str) -> None:
    text = "".join(f"{left}\t{right}{end}" for left, right in [("a", "b"), *PAIRS])
    rows = read_plain(tmp_path / "a.tsv", text, encoding=encoding)
    assert rows == [list(pair) for pair in PAIRS]


@given(st.text(st.characters(exclude_characters="\t\n\0", exclude_categories=["Cs"])))
def test_any_text_without_tab_line_feed_and_nul_comes_back(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert read_plain(Path(folder, "a.tsv"), f"a\tb\n{text}\tend\n") == [[text, "end"]]


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        min_size=1,
        max_size=5,
    )
)
def test_with_quoting_any_text_without_nul_comes_back(texts: list[str]) -> None:
    written = io.StringIO(newline="")
    csv.writer(written).writerows([["a", "b"], *([text, "end"] for text in texts)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_bytes(written.getvalue().encode())
        table = read_table(path, quoting=True)
    assert table["a"].tolist() == texts


def test_a_table_may_be_empty(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n")
    table = read_table(tmp_path / "a.csv", quoting=True)
    assert list(table.columns) == ["a", "b"]
    assert len(table) == 0


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("first", ["", "sep={}\n", "sep={}\r\n"])
def test_the_delimiter_is_that_of_the_header_or_of_excels_line(
    tmp_path: Path, mark: str, first: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'{first.format(mark)}a{mark}b\n1{mark}"x, y; z"\n', newline="")
    table = read_table(path, quoting=True, required=["b"])
    assert table.to_dict("list") == {"a": ["1"], "b": ["x, y; z"]}


@pytest.mark.parametrize(
    ("content", "quoting", "message"),
    [
        (
            b"a\tb\n1\t2\n1\t2\t3\n",
            False,
            "row 3 has 3 fields, the header 2; a text must hold no line feed and no '\\t'",
        ),
        (b"a\tb\n1\n", False, "row 2 has 1 fields, the header 2; a text must hold no line feed"),
        (
            b"a\tb\n1\t2\t3\n",
            True,
            "row 2 has 3 fields, the header 2; put a text that holds '\\t' or a line end between",
        ),
        (b"sep=;\na;b\n1;2;3\n", True, "row 2 has 3 fields, the header 2; put a text that holds"),
        (b"a\tb\n1\t2\0\n", False, "row 2 holds a NUL byte; fetch or make it again"),
        (
            b"a\tb\n1\t2\n1\t\xff\n",
            False,
            "line 3 is not UTF-8 (invalid start byte); save the table in UTF-8",
        ),
        (b'a\tb\n1\t"2\n', True, "line 2 is not CSV (unexpected end of data)"),
        (b"a\tb\n" + b"x" * 200_000, True, "line 2 is not CSV (field larger than field limit"),
        (b"a\tc\n1\t2\n", False, "column b is missing; the header is ['a', 'c']"),
        (b"a\tb\tA\n", False, "columns 1 and 3 are named 'a' and 'A'; rename or delete one"),
        (b"", True, "column a is missing; the header is []"),
        (None, True, "no such table"),
    ],
)
def test_a_wrong_table_is_refused_by_row(
    tmp_path: Path, content: bytes | None, quoting: bool, message: str
) -> None:
    path = tmp_path / "a.tsv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{path}: {message}")):
        read_table(path, quoting=quoting, required=["a", "b"])
