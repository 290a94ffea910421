"""Labels of CrisisMMD: which annotation counts, what is unknown, and what is refused."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.datasets.crisismmd import (
    DAMAGE,
    HUMANITARIAN,
    INFORMATIVE,
    TASKS,
    VALUES,
    read_samples,
)

Make = Callable[..., dict[str, str]]
Write = Callable[..., Path]

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
        rf"^{raw}/annotations/\S+_final_data\.tsv: row 3, column {column} is '{value}'; "
        rf"allowed: {allowed}, nan, dont_know_or_cant_judge$"
    )
    with pytest.raises(ValueError, match=expected):
        read_samples(raw, "agreed")


def test_an_empty_label_is_unknown(tweet: Make, write_annotations: Write) -> None:
    values = ["", " ", "NA", "NaN", "null"]
    rows = [tweet(k, **dict.fromkeys(VALUES, value)) for k, value in enumerate(values)]
    samples = read_samples(write_annotations(rows), "agreed")
    assert samples[["informative", "humanitarian", "damage"]].isna().all(axis=None)


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
