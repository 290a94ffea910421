"""Clips that are on this machine, and raw folders that are whole or as they were."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.datasets.download import fill_raw
from pipeline.datasets.index import index_youtube
from pipeline.ground.system_errors import explain
from pipeline.inputs.manifest import read_manifest

HEADER = "id,source,start,end,description,flood,fire\n"


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two spans of one clip, a clip elsewhere, one of its own `clips/`, and one that is missing."""
    folder = tmp_path / "own"
    (folder / "clips").mkdir(parents=True)
    (folder / "long één.mp4").write_bytes(b"long")
    (folder / "clips" / "洪水 1.mp4").write_bytes(b"own")
    (tmp_path / "elsewhere.webm").write_bytes(b"elsewhere")
    rows = [
        'cut-2,long één.mp4,5,9.5,"two\r\nlines, ""quoted""",1,',
        "cut-1,long één.mp4,,5,,0,1",
        f"out,{tmp_path / 'elsewhere.webm'},,,nan,,0",
        "flood,clips/洪水 1.mp4,,,own,1,1",
        "missing,gone/missing.mp4,,,missing,1,1",
    ]
    path = folder / "manifest.csv"
    path.write_bytes((HEADER + "\n".join(rows) + "\n").encode())
    return path


COPIED = {"clips/cut-2.mp4": b"long", "clips/out.webm": b"elsewhere", "clips/洪水 1.mp4": b"own"}


@pytest.mark.parametrize("form", ["folder", "manifest"])
def test_local_clips_are_copied(manifest: Path, raw: Path, form: str) -> None:
    source = manifest if form == "manifest" else manifest.parent
    missing = manifest.parent / "gone" / "missing.mp4"
    assert fill_raw("youtube", str(source), raw) == (
        f"youtube: 5 clips from {source}; 1 not found, the first: {missing}"
    )
    copied = files(raw)
    del copied["manifest.csv"]
    assert copied == COPIED
    assert list(raw.parent.iterdir()) == [raw]


def test_the_copied_manifest_says_what_the_given_one_does(manifest: Path, raw: Path) -> None:
    fill_raw("youtube", str(manifest), raw)
    given, copied = read_manifest(manifest), read_manifest(raw / "manifest.csv")
    assert copied["source"].tolist() == [
        "clips/cut-2.mp4",
        "clips/cut-2.mp4",
        "clips/out.webm",
        "clips/洪水 1.mp4",
        "clips/missing.mp4",
    ]
    assert copied.drop(columns="source").equals(given.drop(columns="source"))


@pytest.mark.parametrize("other", ["other.mp4", "http://127.0.0.1:9/x.mp4"])
def test_two_clips_of_one_name_are_refused(tmp_path: Path, raw: Path, other: str) -> None:
    (tmp_path / "clips").mkdir()
    for name in ("clips/a.mp4", "other.mp4"):
        (tmp_path / name).write_bytes(b"x")
    path = tmp_path / "own.csv"
    path.write_text(f"{HEADER}a,{other},,,,1,0\nb,clips/a.mp4,,,,1,0\n")
    message = f"{path}: two clips would be copied to clips/a.mp4; rename {tmp_path}/clips/a.mp4"
    with pytest.raises(ValueError, match=re.escape(message)):
        fill_raw("youtube", str(path), raw)
    assert files(raw) == {"old.txt": b"old"}


def test_a_manifest_without_any_clip_is_refused(tmp_path: Path, raw: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"{HEADER}a,nowhere/a.mp4,,,,1,0\n")
    with pytest.raises(ValueError, match=r"none of its clips exists, the first would be .*nowh"):
        fill_raw("youtube", str(path), raw)
    assert files(raw) == {"old.txt": b"old"}
    assert list(raw.parent.iterdir()) == [raw]


def test_a_full_disk_names_the_raw_folder_and_leaves_the_old_one(
    manifest: Path, raw: Path, largest_file: Callable[[int], Any]
) -> None:
    (manifest.parent / "long één.mp4").write_bytes(bytes(9000))
    with largest_file(4000), pytest.raises(OSError, match="File too large") as caught:
        fill_raw("youtube", str(manifest), raw)
    assert explain(caught.value).startswith(f"{raw}: File too large; ")
    assert files(raw) == {"old.txt": b"old"}
    assert list(raw.parent.iterdir()) == [raw]


def test_local_clips_need_no_options_of_the_web(
    manifest: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_YTDLP", "nowhere.conf")
    fill_raw("youtube", str(manifest), raw)
    assert "origin" not in pd.read_csv(raw / "manifest.csv")


HARD = [
    "a\rb",
    "a\u2028b\x85c",
    '"',
    ' "q" ',
    "a\r\nb\n",
    "=1+1",
    "nan",
    "\ufeffx",
    "\\x1b \x1b[31m",
]


def test_every_description_comes_back_from_the_copy(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"a")
    quoted = ['"' + text.replace('"', '""') + '"' for text in HARD]
    rows = "".join(f"{n},a.mp4,,,{text},1,0\n" for n, text in enumerate(quoted))
    (tmp_path / "m.csv").write_text(f"\ufeff{HEADER}{rows}", encoding="utf-8", newline="")
    fill_raw("youtube", str(tmp_path / "m.csv"), raw)
    assert read_manifest(raw / "manifest.csv")["description"].tolist() == HARD


def test_clips_without_an_origin_are_of_their_own(raw: Path, tmp_path: Path) -> None:
    for n in range(8):
        (tmp_path / f"{n}.mp4").write_bytes(bytes([n]))
    origins = ["", "", "nan", "nan", "NA", "NA", "caf\u00e9", " cafe\u0301"]
    rows = (f"{n},{n}.mp4,,,text {n},1,0,{origin}\n" for n, origin in enumerate(origins))
    (tmp_path / "m.csv").write_text(HEADER.replace("fire\n", "fire,origin\n") + "".join(rows))
    fill_raw("youtube", str(tmp_path / "m.csv"), raw)
    assert index_youtube(raw).table["group"].tolist() == [*"0123456", "6"]


def test_an_origin_of_ones_own_keeps_clips_together(raw: Path, tmp_path: Path) -> None:
    for n in range(10):
        (tmp_path / f"{n}.mp4").write_bytes(bytes([n]))
    rows = "".join(f"{n},{n}.mp4,,,message {n} of its own,{n % 2},1,{n // 2}\n" for n in range(10))
    (tmp_path / "m.csv").write_text(HEADER.replace("fire\n", "fire,origin\n") + rows)
    fill_raw("youtube", str(tmp_path / "m.csv"), raw)
    index = index_youtube(raw)
    assert [task["name"] for task in index.tasks] == ["flood", "fire"]
    assert index.table["group"].tolist() == [str(n // 2 * 2) for n in range(10)]


def write_pin(path: Path, address: str) -> Path:
    pin = {"address": address, "sha256": None, "size": None, "licence": "none"}
    path.write_text(json.dumps(pin))
    return path


def test_a_pinned_manifest_is_a_source(
    raw: Path, tmp_path: Path, serve: Any, give: Any, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    film_url = f"{serve(give(film)).url}/a.mp4"
    site = serve(give(f"{HEADER}a,{film_url},,,,1,0\n".encode(), type="text/csv"))
    pin = write_pin(tmp_path / "pin.json", f"{site.url}/own.csv")
    assert fill_raw("youtube", str(pin), raw).startswith("youtube: 1 clips from ")
    assert files(raw)["clips/a.mp4"] == film


@pytest.mark.parametrize("clip", ["{}/a.mp4", "clips/a.mp4"])
def test_a_fetched_manifest_cannot_name_a_local_file(
    raw: Path, tmp_path: Path, serve: Any, give: Any, monkeypatch: pytest.MonkeyPatch, clip: str
) -> None:
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.mp4").write_bytes(b"private")
    clip = clip.format(tmp_path)
    rows = f"a,abcdefghijk,,,,1,0\nb,{clip},,,,1,0\n"
    site = serve(give(f"{HEADER}{rows}".encode(), type="text/csv"))
    pin = write_pin(tmp_path / "pin.json", f"{site.url}/own.csv")
    expected = (
        f"/own.csv: row 3, column source is {clip!r}; allowed: an http(s) URL or a YouTube id in "
        f"the manifest that {pin} pins; for files of your own give a local one"
    )
    with pytest.raises(ValueError, match=re.escape(expected)):
        fill_raw("youtube", str(pin), raw)
    assert files(raw) == {"old.txt": b"old"}


def test_an_interrupted_run_leaves_the_old_folder(
    manifest: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "itertuples", interrupt)  # after the clips were copied
    with pytest.raises(KeyboardInterrupt):
        fill_raw("youtube", str(manifest), raw)
    assert files(raw) == {"old.txt": b"old"}
    assert list(raw.parent.iterdir()) == [raw]


def test_the_sample_is_copied_byte_for_byte(raw: Path) -> None:
    sample = Path(__file__).resolve().parents[2] / "data" / "sample" / "youtube"
    assert fill_raw("youtube", str(sample), raw) == f"youtube: 64 clips from {sample}"
    assert files(raw) == files(sample)
