from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.datasets import seen
from pipeline.datasets.crisismmd_source import URL, copy_layout
from pipeline.datasets.fingerprint import fingerprint
from pipeline.datasets.http.pins import LOCK, write_pin
from pipeline.datasets.vidi import list_addresses

Row = dict[str, str]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def layout(
    tweet: Callable[..., Row],
    write_annotations: Callable[..., Path],
    write_photo: Callable[[Path, Row, bytes], None],
) -> Path:
    raw = write_annotations([tweet(0), tweet(1)])
    write_photo(raw, tweet(0), b"photo")
    return raw


def photo(layout: Path) -> Path:
    return next((layout / "data_image").rglob("*.jpg"))


def rewrite_alike(file: Path, contents: bytes) -> None:
    """Change a file's bytes under the same name, size and time, as a careless tool may."""
    before = file.stat()
    assert len(contents) == before.st_size
    file.write_bytes(contents)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def add_split(layout: Path) -> None:
    (layout / "splits").mkdir()
    (layout / "splits" / "task_damage_dev.tsv").write_text("image\n")


CHANGES: dict[str, Callable[[Path], object]] = {
    "other bytes": lambda layout: photo(layout).write_bytes(b"other"),
    "same size and time": lambda layout: rewrite_alike(photo(layout), b"PHOTO"),
    "another name": lambda layout: photo(layout).rename(photo(layout).with_name("x.jpg")),
    "one photo more": lambda layout: photo(layout).with_name("x.jpg").write_bytes(b"photo"),
    "one photo less": lambda layout: photo(layout).unlink(),
    "a split": add_split,
    "a zip": lambda layout: (layout / "crisismmd_datasplit_all.zip").write_bytes(b"zip"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_source_changes_its_fingerprint(layout: Path, change: str) -> None:
    before = fingerprint(str(layout))
    assert before is not None
    assert before == fingerprint(str(layout))
    CHANGES[change](layout)
    assert fingerprint(str(layout)) != before


def test_what_is_not_downloaded_changes_nothing(layout: Path) -> None:
    before = fingerprint(str(layout))
    (layout / "README.txt").write_text("not ours")
    os.utime(photo(layout))
    assert fingerprint(str(layout)) == before


def test_an_unchanged_file_is_not_read_again(layout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    digest = seen.sha256_of
    monkeypatch.setattr(seen, "sha256_of", lambda file: read.append(file) or digest(file))
    first = fingerprint(str(layout))
    assert len(read) == 2
    photo(layout).write_bytes(b"other")
    assert fingerprint(str(layout)) != first
    assert read[2:] == [photo(layout)]


def test_a_broken_memory_is_made_again(layout: Path, cache: Path) -> None:
    before = fingerprint(str(layout))
    (memory,) = (cache / "sources").iterdir()
    memory.write_text("{broken")
    assert fingerprint(str(layout)) == before


def test_an_archive_is_one_file(tmp_path: Path) -> None:
    archive = tmp_path / "c.tar.gz"
    archive.write_bytes(b"one")
    first = fingerprint(str(archive))
    assert first is not None
    assert first["files"] == 1
    archive.write_bytes(b"two")
    assert fingerprint(str(archive)) != first


def test_a_manifest_counts_with_its_clips(tmp_path: Path) -> None:
    manifest = tmp_path / "own.csv"
    lines = ["id,source,start,end,description,flood", "a,a.mp4,,,,1", "b,b.mp4,,,,0"]
    manifest.write_text("\n".join(lines) + "\n")
    (tmp_path / "a.mp4").write_bytes(b"a")
    prints = [fingerprint(str(manifest))]
    (tmp_path / "b.mp4").write_bytes(b"b")  # it was not there before
    prints.append(fingerprint(str(manifest)))
    (tmp_path / "a.mp4").write_bytes(b"c")
    prints.append(fingerprint(str(manifest)))
    manifest.write_text("\n".join(lines[:2]) + "\n")
    prints.append(fingerprint(str(manifest)))
    assert len({str(value) for value in prints}) == 4


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's root."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.mark.parametrize(("source", "urls"), [("official", [URL]), ("vidi", list_addresses())])
def test_a_published_source_is_what_it_is_pinned_to(
    project: Path, source: str, urls: list[str]
) -> None:
    for url in urls:
        assert fingerprint(source) is None  # not before all is pinned
        write_pin(LOCK, url, {"sha256": "0" * 64, "size": 1})
    before = fingerprint(source)
    assert before is not None
    write_pin(LOCK, "https://example.org/other", {"sha256": "1" * 64, "size": 1})
    assert fingerprint(source) == before
    assert before == {"source": source, "sha256": before["sha256"], "files": len(urls)}
    write_pin(LOCK, urls[-1], {"sha256": "1" * 64, "size": 1})
    assert fingerprint(source) != before


def test_the_sample_is_fixed_and_a_wrong_path_is_none(tmp_path: Path) -> None:
    assert fingerprint("sample") == {"source": "sample"}
    assert fingerprint(str(tmp_path / "nowhere")) is None


def test_all_that_is_copied_is_looked_at(layout: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.jpg").write_bytes(b"a")
    for name in ("linked", "again"):
        (layout / "data_image" / name).symlink_to(tmp_path / "elsewhere")
    copy_layout(layout, tmp_path / "copy")
    copied = [file for file in (tmp_path / "copy").rglob("*") if file.is_file()]
    before = fingerprint(str(layout))
    assert before is not None
    assert before["files"] == len(copied)
    (tmp_path / "elsewhere" / "a.jpg").write_bytes(b"other")
    assert fingerprint(str(layout)) != before
