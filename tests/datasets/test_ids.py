"""Ids tie together what belongs together, and never strangers."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.datasets.crisismmd import read_annotations
from pipeline.datasets.index import index_crisismmd

Make = Callable[..., dict[str, str]]
Write = Callable[..., Path]

EMPTY = ["", "nan", "NA", " ", "None", "NULL", "nan_0", "_1"]
ID = "900636961687321454"
ROUNDED = (
    *("9.00637E+17", "9.006369616873215e+17", "9,00637E+17", "900,636,961,687,321,000"),
    *("900636961687321472.0", "900636961687321472", "900636961687321000", "900637000000000000"),
)


@pytest.mark.parametrize("column", ["tweet_id", "image_id"])
def test_an_empty_id_ties_nothing_together_in_any_order(
    tweet: Make, write_annotations: Write, column: str
) -> None:
    rows = [tweet(k, **{column: EMPTY[k // 2 % 8]} if k % 2 else {}) for k in range(40)]
    index = index_crisismmd(write_annotations(rows), "agreed")
    assert index.table["group"].tolist() == index.table["id"].tolist()
    assert index.notes == []
    random.Random(0).shuffle(rows)
    again = index_crisismmd(write_annotations(rows), "agreed")
    pd.testing.assert_frame_equal(again.table, index.table)


def test_empty_photos_and_texts_that_say_nothing_tie_nothing_together(
    tweet: Make,
    write_annotations: Write,
    write_photo: Callable[[Path, dict[str, str], bytes], None],
) -> None:
    rows = [tweet(k, tweet_text=["nan", "", "N/A"][k % 3]) for k in range(9)]
    raw = write_annotations(rows)
    for row in rows:
        write_photo(raw, row, b"")
    index = index_crisismmd(raw, "agreed")
    assert index.table["group"].is_unique
    assert index.table["text"].isna().all()
    assert {failure.kind for failure in index.failures} == {"empty_text"}


def test_blanks_around_an_id_make_no_other_tweet(tweet: Make, write_annotations: Write) -> None:
    rows = [tweet(k) for k in range(12)]
    rows[7]["tweet_id"] = f" {rows[3]['tweet_id']} "
    table = index_crisismmd(write_annotations(rows), "agreed").table
    assert table["group"][7] == table["group"][3] == "90003_0"


def test_a_key_that_many_samples_share_is_reported(tweet: Make, write_annotations: Write) -> None:
    rows = [tweet(k, **{"image_id": "-"} if k < 12 else {}) for k in range(40)]
    index = index_crisismmd(write_annotations(rows), "agreed")
    assert index.notes == ["12 of 40 samples share the image id '-'"]
    with pytest.raises(ValueError, match=r"split .*; 12 of 12 samples share the image id '-'$"):
        index_crisismmd(write_annotations(rows[:12]), "agreed")


@pytest.mark.parametrize(
    "path", ["a/cafe\u0301.jpg", "b/cafe\u0301.png", "b/caf\u00e9.jpg", "b/CAFE\u0301.jpg"]
)
def test_photos_of_one_name_in_any_form_are_refused_and_both_named(
    tweet: Make, write_annotations: Write, path: str
) -> None:
    first, second = "data_image/a/cafe\u0301.jpg", f"data_image/{path}"
    write_annotations([tweet(0, image_path=first)], event="a")
    raw = write_annotations([tweet(1), tweet(2, image_path=second)], event="b")
    message = f"{raw}/annotations: the photos of two rows have one name, {first!r} and {second!r};"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        read_annotations(raw)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *[("tweet_id", value) for value in ("-1", "90063x", f"'{ID}", *ROUNDED)],
        *[("image_id", value) for value in ("1.5", "9.00637e17_0", *ROUNDED)],
    ],
)
def test_a_rounded_id_is_refused_by_row(
    tweet: Make, write_annotations: Write, column: str, value: str
) -> None:
    path = f"data_image/flood/1_1_2017/{ID}_0.jpg"
    rows = [tweet(0), tweet(1, **{column: value, "image_path": path})]
    message = f"flood_final_data.tsv: row 3, column {column} is {value!r}; allowed: all digits of a"
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_annotations(write_annotations(rows))
    assert "Was the table opened in a spreadsheet?" in str(caught.value)


@pytest.mark.parametrize("column", ["tweet_id", "image_id"])
def test_a_column_of_ids_that_end_in_zeros_was_rounded(
    tweet: Make, write_annotations: Write, column: str
) -> None:
    ids = [f"9006369616873{k:02}000" for k in range(20)]
    rows = [tweet(k, **{column: name}) for k, name in enumerate(ids)]
    with pytest.raises(
        ValueError, match=f"row 2, column {column} is '900636961687300000'; allowed"
    ):
        read_annotations(write_annotations(rows))
    for row, name in zip(rows, ids, strict=True):
        row["image_path"] = f"data_image/flood/{name}_0.jpg"  # so they are the tweets' own
    assert len(read_annotations(write_annotations(rows))) == 20
    # Of a tweet with four photos the number ends so by chance.
    rows = [tweet(k, **{column: ids[0] if k < 4 else f"{ID}{k}"}) for k in range(20)]
    assert len(read_annotations(write_annotations(rows))) == 20


@pytest.mark.parametrize("value", ["12e34567_0", "2017.09.01_3", "p7", "900-1"])
def test_an_image_id_may_be_any_text(tweet: Make, write_annotations: Write, value: str) -> None:
    rows = [tweet(0), tweet(1, image_id=value)]
    assert read_annotations(write_annotations(rows))["image_id"].tolist()[1] == value
