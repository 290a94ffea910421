from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.datasets.crisismmd import (
    COLUMNS,
    DAMAGE,
    HUMANITARIAN,
    INFORMATIVE,
    TASKS,
    read_annotations,
    read_samples,
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
    assert list(table.columns) == list(COLUMNS)
    assert table["tweet_id"].tolist() == ["90000"]


def test_events_are_joined_in_the_order_of_the_paths(tweet: Make, write_annotations: Write) -> None:
    write_annotations([tweet(3), tweet(1)], event="a")
    raw = write_annotations([tweet(2)], event="b")
    assert read_annotations(raw)["tweet_id"].tolist() == ["90001", "90002", "90003"]


def test_a_path_in_two_rows_is_refused(tweet: Make, write_annotations: Write) -> None:
    write_annotations([tweet(0)], event="a")
    raw = write_annotations([tweet(1), tweet(0)], event="b")
    message = "image_path 'data_image/flood/1_1_2017/90000_0.jpg' appears in two rows; delete one"
    with pytest.raises(ValueError, match=re.escape(message)):
        read_annotations(raw)


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
    read = ("\t".join(row) for row in table.itertuples(index=False, name=None))
    assert sorted(read) == sorted(line.rstrip("\r") for line in lines)


def test_files_that_a_mac_adds_are_not_annotations(tmp_path: Path) -> None:
    folder = tmp_path / "annotations"
    folder.mkdir()
    (folder / "._flood_final_data.tsv").write_bytes(b"\0\5\x16\7")
    with pytest.raises(ValueError, match=r"annotations holds no \*_final_data.tsv"):
        read_annotations(tmp_path)


# Written out here, not taken from the code.
FIVE = {
    "affected_individuals": "affected_individuals",
    "infrastructure_and_utility_damage": "infrastructure_and_utility_damage",
    "injured_or_dead_people": "affected_individuals",
    "missing_or_found_people": "affected_individuals",
    "not_humanitarian": "not_humanitarian",
    "other_relevant_information": "other_relevant_information",
    "rescue_volunteering_or_donation_effort": "rescue_volunteering_or_donation_effort",
    "vehicle_damage": "infrastructure_and_utility_damage",
}


def label(value: object, classes: tuple[str, ...]) -> str | None:
    return None if pd.isna(value) else classes[int(str(value))]


@pytest.mark.parametrize("annotated", FIVE)
def test_eight_classes_become_five(tweet: Make, write_annotations: Write, annotated: str) -> None:
    rows = [tweet(0, text_human=annotated, image_human=annotated)]
    samples = read_samples(write_annotations(rows), "agreed")
    assert label(samples["humanitarian"].iloc[0], HUMANITARIAN) == FIVE[annotated]


def test_text_and_image_agree_after_merging(tweet: Make, write_annotations: Write) -> None:
    rows = [tweet(0, text_human="injured_or_dead_people", image_human="missing_or_found_people")]
    samples = read_samples(write_annotations(rows), "agreed")
    assert label(samples["humanitarian"].iloc[0], HUMANITARIAN) == "affected_individuals"


@pytest.mark.parametrize(
    ("text", "image", "agreed"),
    [
        ("informative", "informative", "informative"),
        ("informative", "not_informative", None),
        ("not_informative", "not_informative", "not_informative"),
        ("nan", "informative", None),
        ("dont_know_or_cant_judge", "dont_know_or_cant_judge", None),
    ],
)
def test_which_label_counts(
    tweet: Make, write_annotations: Write, text: str, image: str, agreed: str | None
) -> None:
    raw = write_annotations([tweet(0, text_info=text, image_info=image)])
    alone = {"text": text, "image": image, "agreed": agreed}
    for labels in ("text", "image", "agreed"):
        expected = alone[labels] if alone[labels] in INFORMATIVE else None
        code = read_samples(raw, labels)["informative"].iloc[0]
        assert label(code, INFORMATIVE) == expected


@pytest.mark.parametrize("labels", ["agreed", "text", "image"])
def test_damage_is_always_the_images(tweet: Make, write_annotations: Write, labels: str) -> None:
    written = ["severe_damage", "nan", "dont_know_or_cant_judge", "little_or_no_damage"]
    raw = write_annotations([tweet(k, image_damage=value) for k, value in enumerate(written)])
    names = [label(code, DAMAGE) for code in read_samples(raw, labels)["damage"]]
    assert names == ["severe_damage", None, None, "little_or_no_damage"]


def test_labels_are_nullable_integers_even_where_none_is_known(
    tweet: Make, write_annotations: Write
) -> None:
    unknown = {"text_info": "nan", "image_info": "nan", "text_human": "nan", "image_human": "nan"}
    samples = read_samples(write_annotations([tweet(0, **unknown)]), "agreed")
    for task in ("informative", "humanitarian", "damage"):
        assert samples[task].dtype == "Int64"
        assert samples[task].isna().all()


@pytest.mark.parametrize(
    ("column", "value", "allowed"),
    [
        ("text_info", "Informative", "not_informative, informative"),
        ("image_human", "severe_damage", "not_humanitarian, .*, vehicle_damage, .*"),
        ("image_damage", "vehicle_damage", "little_or_no_damage, mild_damage, severe_damage"),
    ],
)
def test_an_unknown_class_is_named_with_file_row_column_and_its_classes(
    tweet: Make, write_annotations: Write, column: str, value: str, allowed: str
) -> None:
    raw = write_annotations([tweet(0), tweet(1, **{column: value}), tweet(2, **{column: value})])
    expected = (
        rf"^{raw}/annotations/\S+_final_data\.tsv: row 3, {column} is '{value}'; "
        rf"allowed: {allowed}, nan, dont_know_or_cant_judge$"
    )
    with pytest.raises(ValueError, match=expected):
        read_samples(raw, "agreed")


def test_the_negative_class_of_each_task_is_its_first() -> None:
    assert {task["name"]: task["negative"] for task in TASKS} == {
        "informative": "not_informative",
        "humanitarian": "not_humanitarian",
        "damage": "little_or_no_damage",
    }
    assert all(task["classes"][0] == task["negative"] for task in TASKS)


@pytest.fixture(scope="module")
def real(shared_data: Path) -> list[dict[str, str]]:
    """The annotations as the standard library reads them."""
    rows = []
    for file in sorted((shared_data / "crisismmd" / "annotations").glob("*.tsv")):
        with file.open(encoding="utf-8", newline="\n") as lines:
            rows += list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    return rows


def expected_label(row: dict[str, str], labels: str, group: str, classes: dict[str, str]) -> str:
    text, image = (classes.get(row[f"{side}_{group}"], "?") for side in ("text", "image"))
    if labels == "agreed":
        return text if text == image else "?"
    return text if labels == "text" else image


@pytest.mark.parametrize("labels", ["agreed", "text", "image"])
def test_every_real_label_is_the_one_counted_by_hand(
    shared_data: Path, real: list[dict[str, str]], labels: str
) -> None:
    samples = read_samples(shared_data / "crisismmd", labels).set_index("image")
    assert len(samples) == len(real) == 12_198
    assert samples["id"].is_unique
    info, damage = {c: c for c in INFORMATIVE}, {c: c for c in DAMAGE}
    for task, classes, expected in [
        ("informative", INFORMATIVE, lambda row: expected_label(row, labels, "info", info)),
        ("humanitarian", HUMANITARIAN, lambda row: expected_label(row, labels, "human", FIVE)),
        ("damage", DAMAGE, lambda row: damage.get(row["image_damage"], "?")),
    ]:
        names = samples[task].map(lambda code, of=classes: label(code, of) or "?")
        by_hand = {row["image_path"]: expected(row) for row in real}
        assert names.to_dict() == by_hand
        assert set(by_hand.values()) >= set(classes)


@pytest.mark.parametrize(
    ("split", "path", "column", "task", "classes"),
    [
        ("task_damage_dev.tsv", "Image", "Label", "damage", DAMAGE),
        (
            "task_informative_text_img_dev.head.tsv",
            "image",
            "label_image",
            "informative",
            INFORMATIVE,
        ),
    ],
)
def test_the_official_splits_say_the_same_of_the_rows_they_share(
    shared_data: Path, split: str, path: str, column: str, task: str, classes: tuple[str, ...]
) -> None:
    with (shared_data / "crisismmd" / "splits" / split).open(encoding="utf-8") as lines:
        official = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    samples = read_samples(shared_data / "crisismmd", "image").set_index("image")
    shared = [row for row in official if row[path] in samples.index]
    assert len(shared) > 0.5 * len(official)
    names = [label(samples.loc[row[path], task], classes) for row in shared]
    assert names == [row[column] for row in shared]


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
