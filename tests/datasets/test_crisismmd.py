from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.datasets.crisismmd import (
    COLUMNS,
    read_annotations,
)
from pipeline.datasets.index import COLUMNS as INDEX_COLUMNS
from pipeline.datasets.index import Index, index_crisismmd

Make = Callable[..., dict[str, str]]
Write = Callable[..., Path]


def test_columns_are_found_by_name_whatever_their_order(
    tweet: Make, write_annotations: Write
) -> None:
    plain = read_annotations(write_annotations([tweet(0), tweet(1)]))
    turned = read_annotations(write_annotations([tweet(0), tweet(1)], columns=COLUMNS[::-1]))
    assert turned.equals(plain)


def test_a_column_more_is_left_out(tweet: Make, write_annotations: Write) -> None:
    rows = [tweet(0) | {"note": "x"}]
    table = read_annotations(write_annotations(rows, columns=("note", *COLUMNS)))
    assert list(table.columns) == [*COLUMNS, "event"]
    assert table["tweet_id"].tolist() == ["90000"]


def test_events_are_joined_in_the_order_of_the_paths(tweet: Make, write_annotations: Write) -> None:
    write_annotations([tweet(3), tweet(1)], event="a")
    raw = write_annotations([tweet(2)], event="b")
    assert read_annotations(raw)["tweet_id"].tolist() == ["90001", "90002", "90003"]


def test_a_file_that_ends_within_a_row_is_refused(tweet: Make, write_annotations: Write) -> None:
    raw = write_annotations([tweet(0), tweet(1)])
    (file,) = (raw / "annotations").iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"row 3 has \d+ fields, the header 15"):
        read_annotations(raw)


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
    read = ("\t".join(row) for row in table[list(COLUMNS)].itertuples(index=False, name=None))
    assert sorted(read) == sorted(line.rstrip("\r") for line in lines)


def test_files_that_a_mac_adds_are_not_annotations(tmp_path: Path) -> None:
    folder = tmp_path / "annotations"
    folder.mkdir()
    (folder / "._flood_final_data.tsv").write_bytes(b"\0\5\x16\7")
    with pytest.raises(ValueError, match=r"annotations holds no \*_final_data.tsv"):
        read_annotations(tmp_path)


@pytest.fixture
def layouts(
    tweet: Callable[..., dict[str, str]], write_annotations: Callable[..., Path]
) -> tuple[Index, Index]:
    rows = [tweet(k, text_info="informative" if k % 3 else "nan") for k in range(24)]
    raw = write_annotations(rows)
    return index_crisismmd(raw, "text", "grouped"), index_crisismmd(raw, "text", "binary")


def test_each_class_of_each_concept_is_a_sigmoid_task(layouts: tuple[Index, Index]) -> None:
    grouped, binary = layouts
    classes = [f"{task['name']}_{name}" for task in grouped.tasks for name in task["classes"]]
    assert [task["name"] for task in binary.tasks] == classes
    assert len(classes) == 2 + 5 + 3
    assert {(t["head"], t["classes"], t["negative"]) for t in binary.tasks} == {
        ("sigmoid", ("no", "yes"), "no")
    }
    assert list(binary.table.columns) == [*INDEX_COLUMNS, *classes]


def test_a_known_label_is_one_yes_and_an_unknown_one_is_unknown_everywhere(
    layouts: tuple[Index, Index],
) -> None:
    grouped, binary = layouts
    for task in grouped.tasks:
        columns = binary.table[[f"{task['name']}_{name}" for name in task["classes"]]]
        known = grouped.table[task["name"]].notna()
        assert columns[~known].isna().all().all()
        assert (columns[known].sum(axis=1) == 1).all()
        codes = columns[known].astype(int).to_numpy().argmax(axis=1)
        assert (codes == grouped.table.loc[known, task["name"]]).all()
    assert grouped.table["informative"].isna().any()


def test_the_split_is_the_same(layouts: tuple[Index, Index]) -> None:
    grouped, binary = layouts
    pd.testing.assert_frame_equal(
        grouped.table[list(INDEX_COLUMNS)], binary.table[list(INDEX_COLUMNS)]
    )
