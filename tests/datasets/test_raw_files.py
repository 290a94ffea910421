"""A file that cannot be copied from a source is a counted row, and nothing outside is copied."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.datasets.download import fill_raw
from pipeline.datasets.index import index_crisismmd, index_youtube

Row = dict[str, str]
PHOTO = "data_image/flood/1_1_2017/90001_0.jpg"
SECRET = b"not of the source"


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


def pack(source: Path) -> Path:
    with tarfile.open(source.with_suffix(".tar.gz"), "w:gz") as tar:
        tar.add(source, "CrisisMMD")
    return source.with_suffix(".tar.gz")


def check_photo(raw: Path, source: Path, expected: str) -> None:
    note = fill_raw("crisismmd", str(source), raw)
    assert "7 photos from" in note
    assert "; 1 not copied, the first: data_image/flood/1_1_2017/90001_0.jpg " in note
    index = index_crisismmd(raw, "agreed")
    ((id_, modality, kind, message),) = [
        (f.id, f.modality, f.kind, f.message) for f in index.failures
    ]
    assert (id_, modality, kind) == ("90001_0", "visual", "not_copied")
    assert expected in message
    row = index.table.set_index("id").loc["90001_0"]
    assert row["text"] == "message 1 of its own"
    assert pd.isna(row["image"])
    assert not (raw / PHOTO).is_file()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_photo_in_a_folder(layout: Path, raw: Path, fault: str) -> None:
    make, expected = FAULTS[fault]
    make(layout / PHOTO)
    check_photo(raw, layout, expected)


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"a socket"}))  # tar leaves sockets out
def test_a_photo_in_an_archive(layout: Path, raw: Path, fault: str) -> None:
    FAULTS[fault][0](layout / PHOTO)
    check_photo(raw, pack(layout), "is ")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_clip(clips: Path, raw: Path, fault: str) -> None:
    make, expected = FAULTS[fault]
    make(clips / "clips" / "1.mp4")
    note = fill_raw("youtube", str(clips), raw)
    assert note == f"youtube: 8 clips from {clips}; 1 not fetched (not_copied 1)"
    failures = index_youtube(raw).failures
    assert [(f.id, f.modality, f.kind) for f in failures] == [
        ("1", "visual", "not_copied"),
        ("1", "audio", "not_copied"),
    ]
    assert all(expected in failure.message for failure in failures)
    assert not (raw / "clips" / "1.mp4").exists()


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_a_photo_whose_name_is_too_long(layout: Path, raw: Path, form: str) -> None:
    (file,) = (layout / "annotations").iterdir()
    file.write_text(file.read_text().replace(PHOTO, f"data_image/{'n' * 300}.jpg"))
    fill_raw("crisismmd", str(layout if form == "folder" else pack(layout)), raw)
    (failure,) = index_crisismmd(raw, "agreed").failures
    assert (failure.id, failure.kind) == ("n" * 300, "missing_file")


ALONE = ["unshare", "--user"]  # without the rights of root, which may open every file


@pytest.mark.skipif(
    shutil.which("unshare") is None or bool(subprocess.run([*ALONE, "true"]).returncode),
    reason="this machine allows no user namespaces",
)
def test_a_photo_without_permission(layout: Path, raw: Path) -> None:
    (layout / PHOTO).write_bytes(SECRET)
    (layout / PHOTO).chmod(0)
    code = "import sys; from pathlib import Path; from pipeline.datasets.download import fill_raw; "
    code += "print(fill_raw('crisismmd', sys.argv[1], Path(sys.argv[2])))"
    done = subprocess.run(
        [*ALONE, sys.executable, "-c", code, layout, raw], capture_output=True, text=True
    )
    assert done.stdout.endswith(f"{PHOTO} cannot be opened: Permission denied\n"), done.stderr


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_all_photos_of_an_event_behind_a_link_out_are_counted(
    layout: Path, raw: Path, tmp_path: Path, form: str
) -> None:
    (layout / "data_image" / "flood").rename(tmp_path / "elsewhere")
    (layout / "data_image" / "flood").symlink_to(tmp_path / "elsewhere")
    note = fill_raw("crisismmd", str(layout if form == "folder" else pack(layout)), raw)
    assert "0 photos from" in note
    assert len(index_crisismmd(raw, "agreed").failures) == 8
    assert "photo" not in "".join(p.read_text() for p in raw.rglob("*.jpg"))


@pytest.mark.parametrize("form", ["folder", "archive"])
@pytest.mark.parametrize("kind", ["a link", "a hard link", "a linked folder"])
def test_links_within_a_source_are_copied_as_what_they_lead_to(
    layout: Path, raw: Path, form: str, kind: str
) -> None:
    other = (layout / PHOTO).with_name("90000_0.jpg")
    if kind == "a link":
        (layout / PHOTO).symlink_to(other.name)
    elif kind == "a hard link":
        os.link(other, layout / PHOTO)
    else:
        (layout / PHOTO).write_bytes(b"photo 0")
        (layout / "data_image" / "flood").rename(layout / "data_image" / "really")
        (layout / "data_image" / "flood").symlink_to("really")
    if (kind, form) == ("a linked folder", "archive"):
        return  # a folder's link is left out of an archive, and counted
    fill_raw("crisismmd", str(layout if form == "folder" else pack(layout)), raw)
    assert (raw / PHOTO).read_bytes() == b"photo 0"
    assert not any(path.is_symlink() for path in raw.rglob("*"))


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_annotations_that_cannot_be_copied_stop_the_run(layout: Path, raw: Path, form: str) -> None:
    (layout / "annotations" / "fire_final_data.tsv").symlink_to("/etc/passwd")
    source = layout if form == "folder" else pack(layout)
    with pytest.raises(ValueError, match=r"annotations/fire_final_data.tsv .*(source|archive)"):
        fill_raw("crisismmd", str(source), raw)
    assert not raw.exists()


def test_a_manifest_of_which_no_clip_can_be_copied_is_refused(clips: Path, raw: Path) -> None:
    for path in (clips / "clips").iterdir():
        path.unlink()
        os.mkfifo(path)
    with pytest.raises(ValueError, match=r"none of its 7 clips could be copied \(.*0.mp4 is nei"):
        fill_raw("youtube", str(clips), raw)
    assert not raw.exists()
