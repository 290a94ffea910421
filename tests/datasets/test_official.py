from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.datasets.index import index_crisismmd
from pipeline.datasets.official import copy_splits, read_split

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


def write_split(file: Path, rows: list[Row]) -> None:
    lines = ["event_name\ttweet_id\timage_id\ttweet_text\timage\tlabel"]
    for row in rows:
        # The split's image id is another one than the annotations': only the path joins them.
        fields = ("flood", row["tweet_id"], "other", row["tweet_text"], row["image_path"])
        lines.append("\t".join([*fields, "informative"]))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_an_official_split_keeps_its_samples_sides_and_task(raw: Path) -> None:
    index = index_crisismmd(raw, "agreed", split="official_informative")
    assert [task["name"] for task in index.tasks] == ["informative"]
    assert "damage" not in index.table
    assert index.table["split"].tolist() == ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    assert index.notes == [
        "official_informative: 2 samples outside of it left out, 0 of its images not annotated "
        "here",
        "0 of 2 test samples share a tweet, photo or text with training",
    ]


def test_the_leak_of_an_official_split_is_counted_and_not_refused(
    raw: Path, tweet: Callable[..., Row], write_annotations: Callable[..., Path]
) -> None:
    same = tweet(0)["tweet_text"]
    rows = [tweet(n) if n != 9 else tweet(n, tweet_text=same) for n in range(12)]
    index = index_crisismmd(write_annotations(rows), "agreed", split="official_informative")
    assert index.notes[1] == "1 of 2 test samples share a tweet, photo or text with training"
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
            f"\ufeffEvent_name\tImage_id\tImage\tLabel\r\nx\t1_0\tdata_image/x/{word}.jpg\tmild\r\n".encode()
        )
    sides = {"train": "train", "val": "dev", "test": "test"}
    assert read_split(tmp_path, "damage") == {
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
    assert len(read_split(tmp_path, "damage")) == 529
    informative = read_split(tmp_path, "informative")
    assert len(informative) == 59
    assert set(informative.values()) == {"val"}
    assert all(path.startswith("data_image/") for path in informative)


def test_a_row_of_another_length_is_named(raw: Path) -> None:
    file = raw / "splits" / "task_informative_text_img_dev.tsv"
    file.write_text(file.read_text() + "one\ttwo\n")
    with pytest.raises(ValueError, match=r"dev\.tsv: row 4 has 2 fields, the header 6"):
        read_split(raw, "informative")


@pytest.mark.parametrize("home", ["crisismmd_datasplit_all", "splits"])
def test_split_files_are_taken_from_a_folder(raw: Path, tmp_path: Path, home: str) -> None:
    source = tmp_path / "source" / home / "nested"
    source.parent.mkdir(parents=True)
    (raw / "splits").rename(source)
    (source / "notes.tsv").write_text("not ours")
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
