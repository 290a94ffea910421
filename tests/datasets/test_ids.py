"""Ids tie together what belongs together, and never strangers."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.datasets.crisismmd import read_annotations
from pipeline.datasets.index import index_crisismmd

Make = Callable[..., dict[str, str]]
Write = Callable[..., Path]

EMPTY = ["", "nan", "NA", " ", "None", "NULL"]


@pytest.mark.parametrize("column", ["tweet_id", "image_id"])
def test_an_empty_id_ties_nothing_together_in_any_order(
    tweet: Make, write_annotations: Write, column: str
) -> None:
    rows = [tweet(k, **{column: EMPTY[k % 6]} if k % 2 else {}) for k in range(40)]
    index = index_crisismmd(write_annotations(rows), "agreed")
    assert index.table["group"].tolist() == index.table["id"].tolist()
    assert index.note == ""
    random.Random(0).shuffle(rows)
    again = index_crisismmd(write_annotations(rows), "agreed")
    pd.testing.assert_frame_equal(again.table, index.table)


@pytest.mark.parametrize("name", ["half_empty.tsv", "nan_both.tsv"])
def test_the_given_empty_ids_tie_nothing_together(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "annotations").mkdir()
    shutil.copy(
        shared_data / "faults" / "ids" / name, tmp_path / "annotations" / "x_final_data.tsv"
    )
    table = index_crisismmd(tmp_path, "agreed").table
    assert table["group"].is_unique
    assert table["split"].value_counts().to_dict() == {"train": 36, "val": 12, "test": 12}


def test_blanks_around_an_id_make_no_other_tweet(tweet: Make, write_annotations: Write) -> None:
    rows = [tweet(k) for k in range(12)]
    rows[7]["tweet_id"] = f" {rows[3]['tweet_id']} "
    table = index_crisismmd(write_annotations(rows), "agreed").table
    assert table["group"][7] == table["group"][3] == "90003_0"


def test_a_key_that_many_samples_share_is_reported(tweet: Make, write_annotations: Write) -> None:
    rows = [tweet(k, **{"image_id": "none yet"} if k < 12 else {}) for k in range(40)]
    index = index_crisismmd(write_annotations(rows), "agreed")
    assert index.note == "12 of 40 samples share the image id 'none yet'"


def test_ids_that_differ_only_in_unicodes_form_or_capitals_are_refused_and_both_named(
    tweet: Make, write_annotations: Write
) -> None:
    names = ["cafe\u0301", "x", "Caf\u00e9"]
    rows = [tweet(k, image_path=f"data_image/{k}/{name}.jpg") for k, name in enumerate(names)]
    raw = write_annotations(rows)
    expected = "id 'Caf\u00e9' appears in two rows, once as 'cafe\u0301'; rename one photo"
    with pytest.raises(ValueError, match=rf"^{raw}/annotations: {expected}$"):
        read_annotations(raw)


ID = "900636961687321454"


@pytest.mark.parametrize(
    "value",
    [
        *("9.00637E+17", "9.006369616873215e+17", "9,00637E+17", "900636961687321472.0"),
        *("900,636,961,687,321,000", "9.00636961687321E17", "-1", "90063x", "'900636961687321454"),
        *("900636961687321000", "900636961687321472"),  # the photo's name says otherwise
    ],
)
def test_a_rounded_tweet_id_is_refused_by_row(
    tweet: Make, write_annotations: Write, value: str
) -> None:
    path = f"data_image/flood/1_1_2017/{ID}_0.jpg"
    rows = [tweet(0), tweet(1, tweet_id=value, image_path=path)]
    message = f"flood_final_data.tsv: row 3, tweet_id is {value!r}; allowed: all digits of a whole"
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_annotations(write_annotations(rows))
    assert "Was the table opened in a spreadsheet?" in str(caught.value)


@pytest.mark.parametrize("value", ["9.00637E+17", "9.00637e+17_0", "900636961687321472.0_1", "1.5"])
def test_a_rounded_image_id_is_refused_by_row(
    tweet: Make, write_annotations: Write, value: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(f"row 3, image_id is {value!r}; allowed: all")):
        read_annotations(write_annotations([tweet(0), tweet(1, image_id=value)]))


@pytest.mark.parametrize("column", ["tweet_id", "image_id"])
def test_a_column_of_ids_that_end_in_zeros_was_rounded(
    tweet: Make, write_annotations: Write, column: str
) -> None:
    rows = [tweet(k, **{column: f"9006369616873{k:02}000"}) for k in range(20)]
    with pytest.raises(ValueError, match=f"row 2, {column} is '900636961687300000'; allowed: all"):
        read_annotations(write_annotations(rows))
    exact = [tweet(k, **{column: f"9006369616873{k:02}{k * 37:03}"}) for k in range(20)]
    assert len(read_annotations(write_annotations(exact))) == 20  # one ends in 000
