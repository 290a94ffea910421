"""CrisisMMD's official layout from a folder, an archive and a pin."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.datasets.download import fill_raw

Row = dict[str, str]


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def layout(
    tweet: Callable[..., Row],
    write_annotations: Callable[..., Path],
    write_photo: Callable[[Path, Row, bytes], None],
    tmp_path: Path,
) -> Path:
    """The official layout, with what an unpacked archive has beside it."""
    folder = write_annotations([tweet(0), tweet(1)])
    write_photo(folder, tweet(0), b"photo")
    (folder / "splits").mkdir()
    (folder / "splits" / "task_damage_text_img_dev.tsv").write_text("image\n")
    return shutil.move(folder, tmp_path / "official folder")


def assert_refused(source: Path, raw: Path, message: str) -> None:
    """The message is one line; the old raw folder is whole and nothing lies beside it."""
    with pytest.raises(ValueError, match=message) as caught:
        fill_raw("crisismmd", str(source), raw)
    assert "\n" not in str(caught.value)
    assert files(raw) == {"old.txt": b"old"}
    assert list(raw.parent.iterdir()) == [raw]


def pack(source: Path, path: Path, prefix: str = "") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for entry in sorted(source.iterdir()):
            tar.add(entry, f"{prefix}{entry.name}")
    return path


def test_a_folder_is_copied_and_replaces_the_old_one(layout: Path, raw: Path) -> None:
    expected = files(layout)
    (layout / "README.txt").write_text("not ours")
    assert fill_raw("crisismmd", str(layout), raw) == f"crisismmd: 1 photos from {layout}"
    assert files(raw) == expected
    assert list(raw.parent.iterdir()) == [raw]
    assert raw.stat().st_mode & 0o777 == 0o755  # not a temporary folder's 700


def test_a_folder_without_photos_will_do(layout: Path, raw: Path) -> None:
    shutil.rmtree(layout / "data_image")
    shutil.rmtree(layout / "splits")
    assert fill_raw("crisismmd", str(layout), raw) == f"crisismmd: 0 photos from {layout}"
    assert list(files(raw)) == ["annotations/flood_final_data.tsv"]


@pytest.mark.parametrize("prefix", ["", "CrisisMMD_v2.0/"])
@pytest.mark.parametrize("name", ["c.tar.gz", "c.tgz"])
def test_an_archive_is_unpacked_wherever_its_layout_begins(
    layout: Path, raw: Path, tmp_path: Path, prefix: str, name: str
) -> None:
    fill_raw("crisismmd", str(pack(layout, tmp_path / name, prefix)), raw)
    assert files(raw) == files(layout)
    assert list(raw.parent.iterdir()) == [raw]


@pytest.mark.parametrize("damage", ["cut in half", "cut early", "a flipped bit", "wrong checksum"])
def test_a_damaged_archive_is_refused_in_one_line(
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
        }[damage]
    )
    assert_refused(path, raw, r"^\S+c.tar.gz: .*; delete it and fetch it again$")


KILLED = """
import resource, signal, sys
from pathlib import Path
from pipeline.datasets.download import fill_raw
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # ends the process, as SIGKILL would
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
fill_raw("crisismmd", sys.argv[1], Path(sys.argv[2]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of file sizes")
def test_what_a_killed_run_unpacked_is_removed_by_the_next(
    layout: Path, raw: Path, tmp_path: Path
) -> None:
    (layout / "data_image" / "large.jpg").write_bytes(random.Random(0).randbytes(100_000))
    path = tmp_path / "c.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(layout, arcname="c")
    process = subprocess.run([sys.executable, "-c", KILLED, str(path), str(raw)], check=False)
    assert process.returncode == -signal.SIGXFSZ
    assert len(list(raw.parent.iterdir())) == 2
    fill_raw("crisismmd", str(path), raw)
    assert list(raw.parent.iterdir()) == [raw]
    assert {entry.name for entry in raw.iterdir()} == {"annotations", "data_image", "splits"}


@pytest.mark.parametrize("nested", ["old", "backup/v1"])
def test_a_layout_within_another_is_refused_and_both_named(
    layout: Path, raw: Path, tmp_path: Path, nested: str
) -> None:
    shutil.copytree(layout / "annotations", layout / nested / "annotations")
    names = f"holds annotations and {nested}/annotations; take a source with one of them"
    assert_refused(layout, raw, f"{layout} {names}$")
    assert_refused(pack(layout, tmp_path / "c.tgz"), raw, f"c.tgz {names}$")


def test_what_a_mac_adds_to_an_archive_is_no_second_layout(
    layout: Path, raw: Path, tmp_path: Path
) -> None:
    (layout / "__MACOSX" / "annotations").mkdir(parents=True)
    (layout / "__MACOSX" / "annotations" / "._flood_final_data.tsv").write_bytes(b"\0\5\26\7")
    fill_raw("crisismmd", str(pack(layout, tmp_path / "c.tgz")), raw)
    assert "annotations/flood_final_data.tsv" in files(raw)


def test_a_table_that_cannot_be_read_leaves_the_old_folder(
    layout: Path, raw: Path, tmp_path: Path
) -> None:
    table = layout / "annotations" / "flood_final_data.tsv"
    table.write_text(table.read_text().replace("90001\t", "9.0001E4\t"))
    assert_refused(layout, raw, rf"^{table}: row 3, column tweet_id is '9\.0001E4'; allowed: ")
    archive = pack(layout, tmp_path / "c.tgz")
    assert_refused(
        archive, raw, rf"^{archive}/annotations/flood_final_data.tsv: row 3, column tweet_id "
    )


def test_an_archive_or_a_folder_of_something_else_is_refused(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "docs").mkdir(parents=True)
    (tmp_path / "other" / "docs" / "annotations").write_text("a file of that name")
    archive = pack(tmp_path / "other", tmp_path / "c.tar.gz")
    assert_refused(archive, raw, r"c.tar.gz holds no annotations/: not CrisisMMD's official layout")
    assert_refused(
        tmp_path / "other",
        raw,
        r"^data.crisismmd.source is .* has no annotations/\*_final_data.tsv;",
    )


@pytest.fixture
def pin(
    layout: Path, tmp_path: Path, serve: Any, give: Any, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Any]:
    """A pin of the packed layout, which a loopback server serves."""
    content = pack(layout, tmp_path / "c.tar.gz", "CrisisMMD_v2.0/").read_bytes()
    site = serve(give(content, type="application/gzip"))
    pin = tmp_path / "pin.json"
    pin.write_text(
        json.dumps(
            {
                "address": f"{site.url}/c.tar.gz",
                "sha256": hashlib.sha256(content).hexdigest(),
                "size": len(content),
                "licence": "none",
            }
        )
    )
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    return pin, site


def test_a_pinned_archive_is_fetched_once_and_its_counts_are_compared(
    pin: tuple[Path, Any], layout: Path, raw: Path, tmp_path: Path
) -> None:
    path, site = pin
    assert fill_raw("crisismmd", str(path), raw) == (
        f"crisismmd: 1 photos from {path}\ncrisismmd: warning: 2 rows, 2 tweets, 1 events, where "
        "18,082 rows, 16,058 tweets, 7 events were published"
    )
    assert files(raw) == files(layout)
    fill_raw("crisismmd", str(path), tmp_path / "another checkout" / "raw")
    assert len(site.paths) == 1


def test_another_archive_than_the_pinned_one_is_refused(pin: tuple[Path, Any], raw: Path) -> None:
    path, _ = pin
    path.write_text(re.sub('"sha256": "[0-9a-f]+"', f'"sha256": "{"0" * 64}"', path.read_text()))
    assert_refused(path, raw, rf"c\.tar\.gz: .*correct {re.escape(str(path))}")
