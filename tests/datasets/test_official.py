from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.datasets.index import index_crisismmd
from pipeline.datasets.official import PUBLISHED, copy_splits, read_split

Row = dict[str, str]
SIDES = {"train": range(6), "dev": range(6, 8), "test": range(8, 10)}


@pytest.fixture
def raw(tweet: Callable[..., Row], write_annotations: Callable[..., Path]) -> Path:
    """Twelve tweets, ten of them in the official split of `informative`."""
    folder = write_annotations([tweet(n) for n in range(12)])
    (folder / "splits").mkdir()
    for side, numbers in SIDES.items():
        rows = [tweet(n) for n in numbers]
        write_split(folder / "splits" / f"task_informative_text_img_{side}.tsv", rows)
    return folder


def write_split(file: Path, rows: list[Row], label: str = "informative") -> None:
    lines = ["event_name\ttweet_id\timage_id\ttweet_text\timage\tlabel"]
    for row in rows:
        # The split's image id is another one than the annotations': only the path joins them.
        fields = ("flood", row["tweet_id"], "other", row["tweet_text"], row["image_path"])
        lines.append("\t".join([*fields, label]))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_an_official_split_keeps_its_samples_sides_and_task(raw: Path) -> None:
    index = index_crisismmd(raw, "agreed", split="official_informative")
    assert [task["name"] for task in index.tasks] == ["informative"]
    assert "damage" not in index.table
    assert index.table["split"].tolist() == ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    assert index.notes == [
        "official_informative: 2 samples outside of it left out, 0 of its images not annotated "
        "here",
        "official_informative: no crisismmd_datasplit_agreed_label.zip here, so labels are masked "
        "where text and image disagree: this is the split of all samples, not that of published "
        "numbers",
        "0 of 2 test samples share a tweet, photo or text with training",
    ]


def test_the_leak_of_an_official_split_is_counted_and_not_refused(
    raw: Path, tweet: Callable[..., Row], write_annotations: Callable[..., Path]
) -> None:
    same = tweet(0)["tweet_text"]
    rows = [tweet(n) if n != 9 else tweet(n, tweet_text=same) for n in range(12)]
    index = index_crisismmd(write_annotations(rows), "agreed", split="official_informative")
    assert index.notes[-1] == "1 of 2 test samples share a tweet, photo or text with training"
    assert index.table.loc[index.table["leaks"], "id"].tolist() == ["90009_0"]


def test_an_official_split_can_be_one_task_a_class(raw: Path) -> None:
    index = index_crisismmd(raw, "agreed", "binary", "official_informative")
    names = [task["name"] for task in index.tasks]
    assert names == ["informative_not_informative", "informative_informative"]
    assert index.notes[0].startswith("official_informative: 2 samples")


def test_images_without_annotation_are_counted(
    raw: Path, tweet: Callable[..., Row], write_annotations: Callable[..., Path]
) -> None:
    folder = write_annotations([tweet(n) for n in (0, 1, 2, 3, 4, 6, 8, 9, 11)])
    index = index_crisismmd(folder, "agreed", split="official_informative")
    assert "1 samples outside of it left out, 2 of its images not annotated" in index.notes[0]


def test_a_side_without_samples_is_refused(
    raw: Path, tweet: Callable[..., Row], write_annotations: Callable[..., Path]
) -> None:
    folder = write_annotations([tweet(n) for n in range(8)])
    message = f"{folder}: no image of the official test split of informative is annotated; "
    with pytest.raises(ValueError, match=re.escape(message)):
        index_crisismmd(folder, "agreed", split="official_informative")


def test_a_source_without_split_files_says_what_to_do(raw: Path) -> None:
    message = (
        "data.crisismmd.split is official_damage, but the source holds no "
        "task_damage_text_img_train.tsv; take one with crisismmd_datasplit_all.zip, or split: "
        "grouped"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        index_crisismmd(raw, "agreed", split="official_damage")


def test_both_layouts_of_split_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "splits").mkdir()
    for word in ("train", "dev", "test"):
        file = tmp_path / "splits" / f"task_damage_{word}.tsv"
        file.write_bytes(
            f"\ufeffEvent_name\tImage_id\tImage\tLabel\r\nx\t1_0\tdata_image/x/{word}.jpg\tmild_damage\r\n".encode()
        )
    sides = {"train": "train", "val": "dev", "test": "test"}
    assert read_split(tmp_path, "damage")["split"].to_dict() == {
        f"data_image/x/{word}.jpg": side for side, word in sides.items()
    }


def test_the_real_split_files_are_read(shared_data: Path, tmp_path: Path) -> None:
    real = shared_data / "crisismmd" / "splits"
    (tmp_path / "splits").mkdir()
    for task, file in {
        "damage": "task_damage_dev.tsv",
        "informative": "task_informative_text_img_dev.head.tsv",
    }.items():
        for word in ("train", "dev", "test"):
            header, *rows = (real / file).read_text(encoding="utf-8").splitlines()
            lines = [header, *(rows if word == "dev" else [])]
            text = "\n".join(lines) + "\n"
            name = f"task_{task}_text_img_{word}.tsv"
            (tmp_path / "splits" / name).write_text(text, encoding="utf-8")
    damage = read_split(tmp_path, "damage")
    assert damage["label"].value_counts().to_dict() == {
        "severe_damage": 332,
        "mild_damage": 126,
        "little_or_no_damage": 71,
    }
    informative = read_split(tmp_path, "informative")
    assert len(informative) == 59
    assert set(informative["split"]) == {"val"}
    assert informative.index.str.startswith("data_image/").all()


def test_a_row_of_another_length_is_named(raw: Path) -> None:
    file = raw / "splits" / "task_informative_text_img_dev.tsv"
    file.write_text(file.read_text() + "one\ttwo\n")
    with pytest.raises(ValueError, match=r"dev\.tsv: row 4 has 2 fields, the header 6"):
        read_split(raw, "informative")


@pytest.mark.parametrize(
    "home", ["crisismmd_datasplit_all", "crisismmd_datasplit_agreed_label", "splits"]
)
def test_split_files_are_taken_from_a_folder(raw: Path, tmp_path: Path, home: str) -> None:
    source = tmp_path / "source" / home / "nested"
    source.parent.mkdir(parents=True)
    (raw / "splits").rename(source)
    (source / "notes.tsv").write_text("not ours")
    (source / "task_damage_train.tsv").mkdir()  # a folder is no split file
    copy_splits(tmp_path / "source", tmp_path / "taken")
    names = {path.name for path in (tmp_path / "taken").iterdir()}
    assert names == {f"task_informative_text_img_{word}.tsv" for word in SIDES}


def test_split_files_are_taken_from_the_archive_s_zip(raw: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "crisismmd_datasplit_all.zip", "w") as archive:
        for file in sorted((raw / "splits").iterdir()):
            archive.write(file, f"crisismmd_datasplit_all/{file.name}")
            archive.writestr(f"__MACOSX/._{file.name}", b"\0\5\26\7")
    copy_splits(tmp_path, tmp_path / "taken")
    for file in (raw / "splits").iterdir():
        assert (tmp_path / "taken" / file.name).read_bytes() == file.read_bytes()
    assert len(list((tmp_path / "taken").iterdir())) == len(SIDES)


def test_without_split_files_there_is_no_folder(tmp_path: Path) -> None:
    copy_splits(tmp_path, tmp_path / "taken")
    assert not (tmp_path / "taken").exists()


def write_agreed(raw: Path, tweet: Callable[..., Row], test_label: str = "informative") -> None:
    """The split of the tweets 0 to 4 on which text and image agree, beside that of all."""
    for word, numbers in {"train": [0, 1, 2], "dev": [3], "test": [4, 5]}.items():
        file = raw / "splits" / f"task_informative_text_img_agreed_lab_{word}.tsv"
        label = test_label if word == "test" else "informative"
        write_split(file, [tweet(n) for n in numbers], label)


def test_the_agreed_split_is_read_as_itself(raw: Path, tweet: Callable[..., Row]) -> None:
    write_agreed(raw, tweet, "not_informative")
    index = index_crisismmd(raw, "agreed", split="official_informative")
    assert index.table["split"].tolist() == ["train"] * 3 + ["val"] + ["test"] * 2
    assert index.table["informative"].tolist() == [1, 1, 1, 1, 0, 0]
    assert index.notes[:-1] == [
        "official_informative: 6 samples outside of it left out, 0 of its images not annotated "
        "here",
        "official_informative: 2 samples have another label in its files, which counts",
        "official_informative: warning: 3 / 1 / 2 samples where 9,601 / 1,573 / 1,534 were "
        "published; 3 / 1 / 0 informative where 6,345 / 1,056 / 1,030 were published; "
        "0 / 0 / 2 not_informative where 3,256 / 517 / 504 were published",
    ]


def test_other_labels_than_the_agreed_ones_take_the_split_of_all_samples(
    raw: Path, tweet: Callable[..., Row]
) -> None:
    write_agreed(raw, tweet)
    index = index_crisismmd(raw, "text", split="official_informative")
    assert index.table["split"].tolist() == ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    assert index.notes[1:-1] == [
        "official_informative: data.crisismmd.labels is text: this is the split of all samples, "
        "not that of published numbers"
    ]


def test_published_counts_are_said_to_be_those(
    raw: Path, tweet: Callable[..., Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_agreed(raw, tweet)
    sizes = {"samples": (3, 1, 2), "informative": (3, 1, 2), "not_informative": (0, 0, 0)}
    monkeypatch.setitem(PUBLISHED, "informative", sizes)
    index = index_crisismmd(raw, "agreed", split="official_informative")
    assert index.notes[1] == "official_informative: 3 / 1 / 2 samples, as published"


def test_published_classes_make_up_the_published_samples() -> None:
    for sizes in PUBLISHED.values():
        samples, *classes = sizes.values()
        assert not classes or tuple(map(sum, zip(*classes, strict=True))) == samples
    rows, unlabelled, unsure = 18_082, 14_455, 101
    assert sum(PUBLISHED["damage"]["samples"]) == rows - unlabelled - unsure


def test_classes_of_the_agreed_files_are_merged(raw: Path, tweet: Callable[..., Row]) -> None:
    for word, numbers in {"train": [0, 1], "dev": [2], "test": [3]}.items():
        file = raw / "splits" / f"task_humanitarian_text_img_agreed_lab_{word}.tsv"
        write_split(file, [tweet(n) for n in numbers], "injured_or_dead_people")
    index = index_crisismmd(raw, "agreed", split="official_humanitarian")
    assert index.table["humanitarian"].tolist() == [1] * 4


def test_a_class_that_no_task_has_is_refused(raw: Path, tweet: Callable[..., Row]) -> None:
    write_agreed(raw, tweet, "informativ")
    message = r"agreed_lab_test\.tsv: row 2, column label is 'informativ'; allowed: not_informative"
    with pytest.raises(ValueError, match=message):
        index_crisismmd(raw, "agreed", split="official_informative")


def test_an_agreed_split_that_is_not_complete_says_what_is_missing(
    raw: Path, tweet: Callable[..., Row]
) -> None:
    write_agreed(raw, tweet)
    (raw / "splits" / "task_informative_text_img_agreed_lab_dev.tsv").unlink()
    message = r"no task_informative_text_img_agreed_lab_dev\.tsv; take one with crisismmd_datas"
    with pytest.raises(ValueError, match=message):
        index_crisismmd(raw, "agreed", split="official_informative")


def test_damage_takes_the_labels_of_its_files(raw: Path, tweet: Callable[..., Row]) -> None:
    for word, numbers in {"train": [0, 1], "dev": [2], "test": [3]}.items():
        write_split(
            raw / "splits" / f"task_damage_{word}.tsv", [tweet(n) for n in numbers], "mild_damage"
        )
    index = index_crisismmd(raw, "agreed", split="official_damage")
    assert index.table["damage"].tolist() == [1] * 4
    assert "2 / 1 / 1 samples where 2,468 / 529 / 529 were published" in index.notes[2]


def test_both_archives_are_taken_and_two_versions_of_a_file_are_refused(
    raw: Path, tweet: Callable[..., Row], tmp_path: Path
) -> None:
    write_agreed(raw, tweet)
    source = tmp_path / "source"
    (source / "crisismmd_datasplit_all").mkdir(parents=True)
    with zipfile.ZipFile(source / "crisismmd_datasplit_agreed_label.zip", "w") as archive:
        for file in sorted((raw / "splits").iterdir()):
            if "agreed" in file.name:
                archive.write(file, f"crisismmd_datasplit_agreed_label/{file.name}")
            else:
                file.rename(source / "crisismmd_datasplit_all" / file.name)
    copy_splits(source, tmp_path / "taken")
    assert len(list((tmp_path / "taken").iterdir())) == 2 * len(SIDES)
    (source / "splits").mkdir()
    (source / "splits" / "task_informative_text_img_dev.tsv").write_text("another")
    with pytest.raises(ValueError, match=r"task_informative_text_img_dev\.tsv appears twice"):
        copy_splits(source, tmp_path / "again")
