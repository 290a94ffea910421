"""A file that cannot be copied from a source is a counted row, and nothing outside is copied."""

from __future__ import annotations

import os
import shutil
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.datasets.download import fill_raw
from pipeline.datasets.index import index_crisismmd, index_youtube

Row = dict[str, str]
PHOTO = "data_image/flood/1_1_2017/90001_0.jpg"


def listen(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)  # a socket's path may not be long
    with socket.socket(socket.AF_UNIX) as unbound:
        unbound.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pipe": (os.mkfifo, "is neither a file nor a folder"),
    "a socket": (listen, "is neither a file nor a folder"),
    "a device": (lambda p: p.symlink_to("/dev/zero"), "leads out of the source, to /dev/zero"),
    "a folder": (lambda p: p.mkdir(), "is a folder"),
    "a link to a folder": (lambda p: p.symlink_to(p.parent), "is a folder"),
    "a link to itself": (lambda p: p.symlink_to(p.name), "Too many levels of symbolic links"),
    "a link to nothing": (lambda p: p.symlink_to("gone.jpg"), "No such file or directory"),
    "a link out": (lambda p: p.symlink_to("/etc/passwd"), "out of the source, to /etc/passwd"),
    "a link far up": (lambda p: p.symlink_to("../" * 30 + "etc/passwd"), "to /etc/passwd"),
}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "data" / "raw"


@pytest.fixture
def layout(
    tweet: Callable[..., Row],
    write_annotations: Callable[..., Path],
    write_photo: Callable[[Path, Row, bytes], None],
    tmp_path: Path,
) -> Path:
    """Eight tweets, all but the second with a photo."""
    folder = write_annotations([tweet(n) for n in range(8)])
    for n in (0, *range(2, 8)):
        write_photo(folder, tweet(n), f"photo {n}".encode())
    return shutil.move(folder, tmp_path / "official")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder with a manifest of eight clips, of which the second is not there."""
    folder = tmp_path / "own"
    (folder / "clips").mkdir(parents=True)
    for n in (0, *range(2, 8)):
        (folder / "clips" / f"{n}.mp4").write_bytes(f"clip {n}".encode())
    rows = [f"{n},clips/{n}.mp4,,,message {n} of its own,{n % 2}" for n in range(8)]
    (folder / "manifest.csv").write_text(
        "\n".join(["id,source,start,end,description,flood", *rows])
    )
    return folder


@pytest.fixture(params=["folder", "archive"])
def packed(request: pytest.FixtureRequest, layout: Path) -> Callable[[], str]:
    """Returns the layout as a source: the folder itself, or a .tar.gz of it."""

    def pack() -> str:
        if request.param == "folder":
            return str(layout)
        path = layout.with_suffix(".tar.gz")
        with tarfile.open(path, "w:gz") as tar:
            tar.add(layout, "CrisisMMD")
        return str(path)

    return pack


@pytest.mark.parametrize("fault", FAULTS)
def test_a_photo(layout: Path, packed: Callable[[], str], raw: Path, fault: str) -> None:
    make, expected = FAULTS[fault]
    make(layout / PHOTO)
    source = packed()
    if source.endswith(".gz"):
        if fault == "a socket":
            pytest.skip("tar leaves sockets out")
        expected = "is "
    note = fill_raw("crisismmd", source, raw)
    assert "7 photos from" in note
    assert f"; 1 failure (not_copied 1), the first: {PHOTO} " in note
    index = index_crisismmd(raw, "agreed")
    (failure,) = index.failures
    assert (failure.id, failure.modality, failure.kind) == ("90001_0", "visual", "not_copied")
    assert expected in failure.message
    row = index.table.set_index("id").loc["90001_0"]
    assert row["text"] == "message 1 of its own"
    assert pd.isna(row["image"])
    assert not (raw / PHOTO).is_file()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_clip(clips: Path, raw: Path, fault: str) -> None:
    make, expected = FAULTS[fault]
    make(clips / "clips" / "1.mp4")
    note = fill_raw("youtube", str(clips), raw)
    assert note.startswith(f"youtube: 8 clips from {clips}; 1 failure (not_copied 1), the first: ")
    failures = index_youtube(raw).failures
    assert [(f.id, f.modality, f.kind) for f in failures] == [
        ("1", "visual", "not_copied"),
        ("1", "audio", "not_copied"),
    ]
    assert all(expected in failure.message for failure in failures)
    assert not (raw / "clips" / "1.mp4").exists()


@pytest.mark.parametrize(
    ("path", "make"),
    [
        (f"data_image/{'n' * 300}.jpg", lambda layout: None),
        ("data_image/file/a.jpg", lambda layout: (layout / "data_image/file").touch()),
        ("data_image/loop/a.jpg", lambda layout: (layout / "data_image/loop").symlink_to("loop")),
        ("data_image/.//pipe.jpg", lambda layout: os.mkfifo(layout / "data_image/pipe.jpg")),
    ],
    ids=["a long name", "below a file", "below a link to itself", "another spelling"],
)
def test_a_photo_that_cannot_be_reached(
    layout: Path, raw: Path, packed: Callable[[], str], path: str, make: Callable[[Path], object]
) -> None:
    (file,) = (layout / "annotations").iterdir()
    file.write_text(file.read_text().replace(PHOTO, path))
    make(layout)
    fill_raw("crisismmd", packed(), raw)
    (failure,) = index_crisismmd(raw, "agreed").failures
    assert (failure.id, failure.kind) == (Path(path).stem, "not_copied")


def test_a_photo_without_permission(
    layout: Path, raw: Path, unprivileged: Callable[..., Any]
) -> None:
    (layout / "data_image" / "secret").mkdir(mode=0)
    (file,) = (layout / "annotations").iterdir()
    secret = "data_image/secret/90002_0.jpg"
    file.write_text(file.read_text().replace("data_image/flood/1_1_2017/90002_0.jpg", secret))
    (layout / PHOTO).touch(mode=0)
    done = unprivileged(
        "import sys; from pathlib import Path; from pipeline.datasets.download import fill_raw; "
        "print(fill_raw('crisismmd', sys.argv[1], Path(sys.argv[2])))",
        *(layout, raw),
    )
    denied = f"{PHOTO} cannot be opened: Permission denied"
    assert f"; 2 failures (not_copied 2), the first: {denied}\n" in done.stdout, done.stderr


def test_all_photos_of_an_event_behind_a_link_out_are_counted(
    layout: Path, raw: Path, tmp_path: Path, packed: Callable[[], str]
) -> None:
    (layout / "data_image" / "flood").rename(tmp_path / "elsewhere")
    (layout / "data_image" / "flood").symlink_to(tmp_path / "elsewhere")
    assert "0 photos from" in fill_raw("crisismmd", packed(), raw)
    assert len(index_crisismmd(raw, "agreed").failures) == 8
    assert not list(raw.rglob("*.jpg"))


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_links_within_a_source_are_copied_as_what_they_lead_to(
    layout: Path,
    raw: Path,
    packed: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    link: Callable[[str, str], None],
) -> None:
    monkeypatch.chdir((layout / PHOTO).parent)
    link("90000_0.jpg", "90001_0.jpg")
    fill_raw("crisismmd", packed(), raw)
    assert (raw / PHOTO).read_bytes() == b"photo 0"
    assert not any(path.is_symlink() for path in raw.rglob("*"))


def test_a_linked_folder_within_a_source_is_copied(layout: Path, raw: Path) -> None:
    (layout / "data_image" / "flood").rename(layout / "really")
    (layout / "data_image" / "flood").symlink_to("../really")
    fill_raw("crisismmd", str(layout), raw)
    assert len(list((raw / "data_image" / "flood").rglob("*.jpg"))) == 7


def test_annotations_that_cannot_be_copied_stop_the_run(
    layout: Path, raw: Path, packed: Callable[[], str]
) -> None:
    (layout / "annotations" / "fire_final_data.tsv").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match=r"annotations/fire_final_data.tsv .*(source|archive)"):
        fill_raw("crisismmd", packed(), raw)
    assert not raw.exists()


def test_a_manifest_of_which_no_clip_can_be_copied_is_refused(clips: Path, raw: Path) -> None:
    for path in (clips / "clips").iterdir():
        path.unlink()
        os.mkfifo(path)
    with pytest.raises(ValueError, match=r"none of its 7 clips could be copied \(.*0.mp4 is nei"):
        fill_raw("youtube", str(clips), raw)
    assert not raw.exists()
