from __future__ import annotations

import io
import random
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.datasets import download
from pipeline.datasets.download import fetch_crisismmd, fetch_youtube
from pipeline.datasets.manifest import read_manifest

Row = dict[str, str]
Write = Callable[..., Path]
WritePhoto = Callable[[Path, Row, bytes], None]


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def layout(
    tweet: Callable[..., Row], write_annotations: Write, write_photo: WritePhoto, tmp_path: Path
) -> Path:
    """The official layout, with what an unpacked archive has beside it."""
    raw = write_annotations([tweet(0), tweet(1)])
    write_photo(raw, tweet(0), b"photo")
    return shutil.move(raw, tmp_path / "official folder")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """An older raw folder, whose files a finished run replaces."""
    folder = tmp_path / "data" / "set" / "raw"
    folder.mkdir(parents=True)
    (folder / "old.txt").write_text("old")
    return folder


def assert_untouched(raw: Path) -> None:
    """The old folder is whole and nothing lies beside it."""
    assert files(raw) == {"old.txt": b"old"}
    assert list(raw.parent.iterdir()) == [raw]


def pack(source: Path, path: Path, prefix: str = "") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for part in sorted(source.iterdir()):
            tar.add(part, f"{prefix}{part.name}")
    return path


def test_a_folder_is_copied_and_replaces_the_old_one(layout: Path, raw: Path) -> None:
    (layout / "README.txt").write_text("not ours")
    assert fetch_crisismmd(str(layout), raw) == f"crisismmd: 1 photos from {layout}"
    expected = files(layout)
    del expected["README.txt"]
    assert files(raw) == expected
    assert list(raw.parent.iterdir()) == [raw]


def test_a_folder_without_photos_will_do(layout: Path, raw: Path) -> None:
    shutil.rmtree(layout / "data_image")
    assert fetch_crisismmd(str(layout), raw) == f"crisismmd: 0 photos from {layout}"
    assert list(files(raw)) == ["annotations/flood_final_data.tsv"]


@pytest.mark.parametrize("prefix", ["", "CrisisMMD_v2.0/"])
@pytest.mark.parametrize("name", ["c.tar.gz", "c.tgz"])
def test_an_archive_is_unpacked_wherever_its_layout_begins(
    layout: Path, raw: Path, tmp_path: Path, prefix: str, name: str
) -> None:
    fetch_crisismmd(str(pack(layout, tmp_path / name, prefix)), raw)
    assert files(raw) == files(layout)
    assert list(raw.parent.iterdir()) == [raw]


@pytest.mark.parametrize("name", ["../escaped.txt", "/escaped.txt", "annotations/../../e.txt"])
def test_an_archive_cannot_write_elsewhere(
    layout: Path, raw: Path, tmp_path: Path, name: str
) -> None:
    archive = pack(layout, tmp_path / "c.tar.gz")
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as tar:
        with tarfile.open(archive) as good:
            for member in good:
                tar.addfile(member, good.extractfile(member) if member.isfile() else None)
        member = tarfile.TarInfo(name)
        member.size = 4
        tar.addfile(member, io.BytesIO(b"evil"))
    before = files(tmp_path)
    with pytest.raises(ValueError, match=r"evil.tar.gz: member .* leads outside; fetch it again"):
        fetch_crisismmd(str(tmp_path / "evil.tar.gz"), raw)
    assert files(tmp_path) == before
    assert_untouched(raw)


@pytest.mark.parametrize(
    "damage", ["cut in half", "cut early", "a flipped bit", "wrong checksum", "no archive"]
)
def test_a_damaged_archive_is_told_in_one_line(
    layout: Path, raw: Path, tmp_path: Path, damage: str
) -> None:
    # Noise does not compress: a bit flipped in it is one of a photo's, and only gzip can tell.
    (layout / "data_image" / "noise.jpg").write_bytes(random.Random(0).randbytes(200_000))
    path = pack(layout, tmp_path / "c.tar.gz")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    path.write_bytes(
        {
            "cut in half": whole[: len(whole) // 2],
            "cut early": whole[:30],
            "a flipped bit": bytes(flipped),
            "wrong checksum": whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:],
            "no archive": b"<html>Not Found</html>",
        }[damage]
    )
    with pytest.raises(ValueError, match=r"^\S+c.tar.gz: .*; fetch it again$"):
        fetch_crisismmd(str(path), raw)
    assert_untouched(raw)


def test_an_archive_of_something_else_is_refused(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "docs").mkdir(parents=True)
    (tmp_path / "other" / "docs" / "annotations").write_text("a file of that name")
    archive = pack(tmp_path / "other", tmp_path / "c.tar.gz")
    with pytest.raises(ValueError, match=r"c.tar.gz holds no annotations/"):
        fetch_crisismmd(str(archive), raw)
    assert_untouched(raw)


def test_a_folder_of_something_else_is_refused(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match=r"other holds no annotations/: not CrisisMMD's"):
        fetch_crisismmd(str(tmp_path / "other"), raw)
    assert_untouched(raw)


@pytest.mark.parametrize("source", ["nowhere", "nowhere.tar.gz", "Sample"])
def test_a_source_that_is_nothing_names_the_key_and_what_is_allowed(raw: Path, source: str) -> None:
    told = f"data.crisismmd.source is {source!r}: no such folder or .tar.gz; allowed: sample, off"
    with pytest.raises(ValueError, match=re.escape(told)):
        fetch_crisismmd(source, raw)
    assert_untouched(raw)


HEADER = "id,source,start,end,description,flood,fire\n"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two cuts of one clip, a clip elsewhere, and one that is not there."""
    folder = tmp_path / "own clips"
    folder.mkdir()
    (folder / "long één.mp4").write_bytes(b"long")
    (tmp_path / "elsewhere.webm").write_bytes(b"elsewhere")
    rows = [
        'cut-2,long één.mp4,5,9.5,"two\r\nlines, ""quoted""",1,',
        "cut-1,long één.mp4,,5,,0,1",
        f"out,{tmp_path / 'elsewhere.webm'},,,nan,,0",
        "lost,gone/lost.mp4,,,lost,1,1",
    ]
    path = folder / "own.csv"
    path.write_bytes((HEADER + "\n".join(rows) + "\n").encode())
    return path


def test_clips_are_copied_under_the_first_id_that_names_them(manifest: Path, raw: Path) -> None:
    told = fetch_youtube(str(manifest), raw)
    lost = manifest.parent / "gone" / "lost.mp4"
    assert told == f"youtube: 4 clips from {manifest}; 1 not found, the first: {lost}"
    copied = files(raw)
    del copied["manifest.csv"]
    assert copied == {"clips/cut-2.mp4": b"long", "clips/out.webm": b"elsewhere"}
    assert list(raw.parent.iterdir()) == [raw]


def test_the_copied_manifest_says_what_the_given_one_does(manifest: Path, raw: Path) -> None:
    fetch_youtube(str(manifest), raw)
    given, copied = read_manifest(manifest), read_manifest(raw / "manifest.csv")
    assert copied["source"].tolist() == [
        "clips/cut-2.mp4",
        "clips/cut-2.mp4",
        "clips/out.webm",
        "clips/lost.mp4",
    ]
    assert copied.drop(columns="source").equals(given.drop(columns="source"))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("clips", "data.youtube.source is 'clips'; allowed: sample, vidi, or a path to a"),
        ("none.csv", "none.csv: no such manifest; correct data.youtube.source"),
    ],
)
def test_a_wrong_source_names_the_key(raw: Path, source: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        fetch_youtube(source, raw)
    assert_untouched(raw)


@pytest.mark.parametrize("fault", [OSError("disk full"), KeyboardInterrupt()])
def test_a_fill_that_is_broken_off_leaves_the_old_folder(
    raw: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    def write(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise fault

    monkeypatch.setattr(download, "write_crisismmd", write)
    monkeypatch.setattr(download, "write_youtube", write)
    for fetch in (fetch_crisismmd, fetch_youtube):
        with pytest.raises(type(fault)):
            fetch("sample", raw)
        assert_untouched(raw)


def test_a_sample_is_filled_and_told(
    tmp_path: Path, manifest: Path, layout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_clips(folder: Path) -> None:
        (folder / "manifest.csv").write_text(HEADER + "a,clips/a.mp4,,,x,1,0\n")

    def write_tweets(folder: Path) -> None:
        shutil.copytree(layout, folder, dirs_exist_ok=True)

    monkeypatch.setattr(download, "write_crisismmd", write_tweets)
    monkeypatch.setattr(download, "write_youtube", write_clips)
    new = tmp_path / "new" / "folder"
    assert fetch_youtube("sample", new / "raw") == "youtube: 1 clips from sample"
    assert fetch_crisismmd("sample", new / "raw") == "crisismmd: 1 photos from sample"
    assert (new / "raw").stat().st_mode & 0o777 == 0o755  # not a temporary folder's 700
    assert files(new / "raw") == files(layout)


def test_a_manifest_of_which_no_clip_is_there_is_refused(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("id,source,start,end,description,flood\na,nowhere/a.mp4,,,,1\n")
    with pytest.raises(
        ValueError, match=r"none of its clips is there, the first would be .*nowhere"
    ):
        fetch_youtube(str(manifest), tmp_path / "raw")
    assert not (tmp_path / "raw").exists()
