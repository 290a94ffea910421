"""The binary layout says what the grouped one says, class by class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.datasets.index import COLUMNS, Index, index_crisismmd


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
    assert list(binary.table.columns) == [*COLUMNS, *classes]


def test_a_known_label_is_one_yes_and_an_unknown_one_is_unknown_everywhere(
    layouts: tuple[Index, Index],
) -> None:
    grouped, binary = layouts
    for task in grouped.tasks:
        columns = binary.table[[f"{task['name']}_{name}" for name in task["classes"]]]
        known = grouped.table[task["name"]].notna()
        assert columns[~known].isna().all().all()
        assert (columns[known].sum(axis=1) == 1).all()
        shown = columns[known].astype(int).to_numpy().argmax(axis=1)
        assert (shown == grouped.table.loc[known, task["name"]]).all()
    assert grouped.table["informative"].isna().any()


def test_the_split_is_the_same(layouts: tuple[Index, Index]) -> None:
    grouped, binary = layouts
    pd.testing.assert_frame_equal(grouped.table[list(COLUMNS)], binary.table[list(COLUMNS)])
