"""Published figures are compared with ours only where they are figures of the same thing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.datasets.crisismmd import TASKS as CRISISMMD
from pipeline.datasets.official import PUBLISHED
from pipeline.evaluation.literature import (
    Ours,
    beside_ours,
    comparable_lines,
    comparison_table,
    differences,
    literature_table,
    read_literature,
    split_name,
    table_notes,
)
from pipeline.mtl import Task
from pipeline.params import CrisisMMDParams

PAGE = Path(__file__).resolve().parents[2] / "docs" / "protocols.md"
LITERATURE = read_literature()
OFLI = next(figure for figure in LITERATURE.figures if figure.task == "informative")
OURS = Ours(
    "crisismmd",
    "informative",
    "accuracy",
    ("informative", "not_informative"),
    "official_informative_agreed",
    1534,
)
TASKS = [Task(t["name"], tuple(t["classes"]), t["negative"]) for t in CRISISMMD]


def params(**values: Any) -> CrisisMMDParams:
    defaults = {"source": "x", "labels": "agreed", "layout": "grouped", "split": "grouped"}
    return CrisisMMDParams(**defaults | values)


def test_the_same_metric_classes_split_and_samples_are_comparable() -> None:
    assert differences(LITERATURE, OFLI, OURS) == []


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"data_set": "youtube"}, "data set crisismmd, ours youtube"),
        ({"task": "damage"}, "task informative, ours damage"),
        ({"metric": "f1_macro"}, "metric accuracy, ours f1_macro"),
        ({"split": "grouped"}, "split official_informative_agreed, ours grouped"),
        ({"test_rows": 1500}, "test samples 1534, ours 1500"),
        ({"shots": 16}, "shots all labels, ours 16"),
        ({"classes": ("yes", "no")}, "classes 2, ours 2"),
        ({"classes": ("a", "b", "c")}, "classes 2, ours 3"),
    ],
)
def test_each_thing_that_differs_is_said(change: dict[str, Any], difference: str) -> None:
    assert differences(LITERATURE, OFLI, replace(OURS, **change)) == [difference]


def test_what_a_source_does_not_say_is_not_the_same() -> None:
    unsaid = OFLI.model_copy(update={"task": None, "class_set": None, "test_rows": None})
    assert differences(LITERATURE, unsaid, OURS) == [
        "task not said, ours informative",
        "test samples not said, ours 1534",
        "classes not said, ours 2",
    ]


def test_class_sets_and_test_sizes_are_those_of_the_data_set() -> None:
    classes = {task.name: set(task.classes) for task in TASKS}
    for figure in LITERATURE.figures:
        if figure.task:
            assert figure.class_set
            assert set(LITERATURE.class_sets[figure.class_set]) == classes[figure.task]
            assert figure.test_rows == PUBLISHED[figure.task]["samples"][2]


def test_a_class_set_that_is_not_described_is_refused(tmp_path: Path) -> None:
    broken = LITERATURE.model_copy(update={"class_sets": {}})
    (tmp_path / "literature.json").write_text(broken.model_dump_json())
    with pytest.raises(ValueError, match=r"class set 'damage' is not in class_sets; add it"):
        read_literature(tmp_path / "literature.json")


def test_a_split_with_masked_labels_is_not_the_agreed_one() -> None:
    whole, masked = pd.Series([1, 0], dtype="Int64"), pd.Series([1, None], dtype="Int64")
    official = params(split="official_informative")
    assert split_name(official, whole) == "official_informative_agreed"
    assert split_name(official, masked) == "official_informative_agreed_of_all"
    text = params(split="official_informative", labels="text")
    assert split_name(text, whole) == "official_informative_text_of_all"
    assert split_name(params(split="event", test_event="fire"), whole) == "event fire"
    assert split_name(params(), whole) == "grouped"


def test_a_published_figure_stands_beside_ours_by_the_same_metric() -> None:
    scores = {"informative": {"accuracy": 0.9, "f1_macro": 0.87, "support": 1534}}
    index = pd.DataFrame({"informative": [1, 0]})
    official = params(split="official_informative")
    found = beside_ours("crisismmd", official, index, TASKS[:1], scores, None)
    alike = [c for c in found if not c.differences]
    assert {(c.figure.metric, c.ours) for c in alike} == {("accuracy", 0.9), ("f1_macro", 0.87)}
    lines = comparable_lines(found, Path("all.md"))
    assert lines[0] == (
        "published, comparable: informative accuracy 0.844 (VGG16 + convolutional network, "
        "Ofli et al. 2020, quoted); ours 0.900"
    )
    assert lines[-1].startswith(f"{len(found) - len(alike)} published figures are not comparable")
    table = comparison_table(found).splitlines()
    assert len(table) == 2 + len(found)
    assert "shots 16, ours all labels" in next(line for line in table if "CLIP" in line)


def test_a_table_s_notes_group_the_figures_by_what_differs() -> None:
    ours = replace(
        OURS,
        task="humanitarian",
        classes=LITERATURE.class_sets["humanitarian"],
        split="official_humanitarian_agreed",
        test_rows=955,
    )
    notes = table_notes(ours, ("f1_macro", "hl", "map"))
    assert "Published, comparable: f1_macro 0.666 (TF-IDF + logistic regression, quoted)." in notes
    others = next(note for note in notes if "0.784" in note)
    assert others.startswith(
        "Published, not comparable (metric accuracy, ours f1_macro/hl/map): accuracy 0.784 "
    )
    assert any("shots 16, ours all labels): accuracy 0.796" in note for note in notes)


def test_a_set_of_which_nothing_was_published_has_no_lines() -> None:
    assert beside_ours("youtube", params(), pd.DataFrame(), TASKS, {}, None) == []
    assert comparable_lines([], Path("all.md")) == []


def test_the_page_holds_the_figures_of_the_file() -> None:
    """Print `literature_table()` into the page after a change of the file."""
    assert literature_table() in PAGE.read_text(encoding="utf-8")
