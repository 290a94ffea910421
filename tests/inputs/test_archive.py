"""Archives that want to write elsewhere or to fill the disk: each is refused whole."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.inputs.archive import read_members, unpack

AGAIN = "; delete it and fetch it again"

Members = list[tuple[tarfile.TarInfo, bytes]]


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def pack(path: Path, members: Members) -> Path:
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return path


GOOD = member("annotations/a.tsv", b"good")


def test_files_and_folders_are_unpacked(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar.gz", [member("empty", type=tarfile.DIRTYPE), GOOD])
    unpack(archive, tmp_path / "raw")
    assert (tmp_path / "raw" / "annotations" / "a.tsv").read_bytes() == b"good"
    assert (tmp_path / "raw" / "empty").is_dir()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file beside the new folder, which no archive may change."""
    path = tmp_path / "raw-old" / "precious.txt"
    path.parent.mkdir()
    path.write_text("precious")
    return path


@pytest.fixture
def refused(tmp_path: Path, outside: Path) -> Iterator[Callable[..., str]]:
    """Unpack and return the message; afterwards nothing is there that was not before."""
    made: list[Path] = []

    def run(archive: Path, **limits: int) -> str:
        made.append(archive)
        with pytest.raises(ValueError, match=r"evil\.tar\.gz") as caught:
            unpack(archive, tmp_path / "raw", **limits)
        return str(caught.value).removeprefix(f"{archive}: ")

    yield run
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {*made, outside}
    assert outside.read_text() == "precious"
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([member("../x", b"evil")], "which is outside the destination"),
        ([member("../raw-old/precious.txt", b"evil")], "which is outside the destination"),
        ([member("annotations/../../x", b"evil")], "which is outside the destination"),
        ([GOOD, member("annotations/a.tsv/b", b"evil")], "Not a directory"),
    ],
)
def test_a_member_is_refused(
    refused: Callable[..., str], tmp_path: Path, members: Members, message: str
) -> None:
    text = refused(pack(tmp_path / "evil.tar.gz", members))
    assert message in text
    assert text.endswith(AGAIN)


LINK, HARD_LINK, PIPE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE
NO_FILE = "is neither a file nor a folder"
TOO_LONG = "has a name that is too long for the disk"


def to(target: str) -> str:
    return f"is a link to {target!r}, which is not a file of the archive"


@pytest.mark.parametrize(
    ("members", "left_out"),
    [
        ([member("a", type=LINK, linkname="/etc/passwd")], to("/etc/passwd")),
        ([member("d/a", type=LINK, linkname="../../x")], to("../x")),
        ([member("a", type=LINK, linkname="a")], to("a")),
        ([member("a", type=LINK, linkname="annotations")], to("annotations")),
        ([member("h", type=HARD_LINK, linkname="../x")], to("../x")),
        ([member("n", type=tarfile.CHRTYPE, devmajor=1, devminor=3)], NO_FILE),
        ([member("pipe", type=PIPE)], NO_FILE),
        ([member("../pipe", type=PIPE)], NO_FILE),
        ([member("n" * 256, b"x")], TOO_LONG),
        ([member("n" * 256, type=LINK, linkname="annotations/a.tsv")], TOO_LONG),
        ([member("a", type=LINK, linkname="n" * 256)], to("n" * 256)),
        ([member("../a", type=HARD_LINK, linkname=GOOD[0].name)], to(GOOD[0].name)),
    ],
)
def test_a_member_that_is_no_file_is_left_out_with_the_reason(
    tmp_path: Path, outside: Path, members: Members, left_out: str
) -> None:
    archive = pack(tmp_path / "a.tar.gz", [*members, GOOD])
    name = members[0][0].name
    assert unpack(archive, tmp_path / "raw") == {name: left_out}
    paths = {path for path in tmp_path.rglob("*") if not path.is_dir()}
    assert paths == {archive, outside, tmp_path / "raw" / GOOD[0].name}


def test_nothing_is_written_through_a_link(tmp_path: Path, outside: Path) -> None:
    link = member("d", type=LINK, linkname="../raw-old")
    unpack(pack(tmp_path / "a.tar.gz", [link, member("d/precious.txt", b"x")]), tmp_path / "raw")
    assert outside.read_text() == "precious"
    assert (tmp_path / "raw" / "d" / "precious.txt").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("kind", "name", "target"),
    [
        (LINK, "b/c.tsv", "../annotations/a.tsv"),
        (LINK, "annotations/c.tsv", "a.tsv"),
        (HARD_LINK, "b/c.tsv", "annotations/a.tsv"),
        (LINK, "c.tsv", "z.tsv"),
    ],
)
def test_a_link_within_the_archive_becomes_the_file(
    tmp_path: Path, kind: bytes, name: str, target: str
) -> None:
    last = member("z.tsv", type=LINK, linkname="annotations/a.tsv")
    members = [member(name, type=kind, linkname=target), GOOD, last]
    assert unpack(pack(tmp_path / "a.tar.gz", members), tmp_path / "raw") == {}
    assert (tmp_path / "raw" / name).read_bytes() == b"good"
    assert not (tmp_path / "raw" / name).is_symlink()


def test_an_absolute_path_stays_inside(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar.gz", [member(f"{tmp_path}/evil", b"evil")])
    unpack(archive, tmp_path / "raw")
    assert not (tmp_path / "evil").exists()
    assert (tmp_path / "raw" / str(tmp_path)[1:] / "evil").is_file()


def repeated(path: Path, block: bytes, times: int) -> Path:
    """A .gz of one block many times, made as fast as one: gzip's members may follow each other."""
    path.write_bytes(gzip.compress(block) * times)
    return path


def test_members_are_counted(refused: Callable[..., str], tmp_path: Path) -> None:
    block = member("folder", type=tarfile.DIRTYPE)[0].tobuf() * 1000
    text = refused(repeated(tmp_path / "evil.tar.gz", block, 1000), members=2000)
    assert text == f"holds more than 2,000 members{AGAIN}"


def test_bytes_are_counted_where_they_arrive(refused: Callable[..., str], tmp_path: Path) -> None:
    head = member("zeros.bin")[0]
    head.size = 10 << 30
    path = tmp_path / "evil.tar.gz"
    path.write_bytes(gzip.compress(head.tobuf()) + gzip.compress(bytes(1 << 24)) * 3)
    assert refused(path, size=1 << 20) == f"unpacks to more than 1,048,576 bytes{AGAIN}"


def test_bytes_behind_the_last_member_are_counted(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    path = pack(tmp_path / "evil.tar.gz", [GOOD])
    path.write_bytes(path.read_bytes() + gzip.compress(bytes(1 << 24)))
    assert refused(path, size=1 << 20) == f"unpacks to more than 1,048,576 bytes{AGAIN}"


def test_a_chain_of_headers_ends(refused: Callable[..., str], tmp_path: Path) -> None:
    head = tarfile.TarInfo("x")
    body = b"11 path=ab\n"
    head.type, head.size = tarfile.XHDTYPE, len(body)
    one = head.tobuf(tarfile.USTAR_FORMAT) + body.ljust(512, b"\0")
    assert refused(repeated(tmp_path / "evil.tar.gz", one * 100, 100)).endswith(AGAIN)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"<html>",
        lambda _: gzip.compress(b"no tar" * 200),
        lambda content: content[: len(content) // 3],
        lambda content: content[:-20],
        # gzip's checksum, which tarfile alone never reads.
        lambda content: content[:-8] + bytes([content[-8] ^ 1]) + content[-7:],
    ],
)
def test_a_damaged_archive_is_refused(
    refused: Callable[..., str], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    noise = bytes(range(256)) * 100
    path = pack(tmp_path / "evil.tar.gz", [GOOD, member("b.bin", noise), member("c.bin", noise)])
    path.write_bytes(damage(path.read_bytes()))
    assert refused(path).endswith(AGAIN)


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", "")
        archive.writestr("../../list.tsv", "first")
        archive.writestr("other.txt", "other")
        archive.writestr("folder/zeros.bin", bytes(2 << 20))
    return path


def test_members_are_read_by_name_and_lead_nowhere(zipped: Path) -> None:
    members = list(read_members(zipped, "list.tsv".__eq__, limit=100))
    assert members == [("list.tsv", b"first")]


def test_a_member_is_read_up_to_its_limit(zipped: Path) -> None:
    message = f"{zipped}: zeros.bin unpacks to more than 1,048,576 bytes{AGAIN}"
    with pytest.raises(ValueError, match=re.escape(message)):
        list(read_members(zipped, "zeros.bin".__eq__, limit=1 << 20))


@pytest.mark.parametrize("at", [40, -30])
def test_a_damaged_zip_is_refused(zipped: Path, at: int) -> None:
    content = bytearray(zipped.read_bytes())
    content[at : at + 8] = b"\xff" * 8
    zipped.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{zipped}: ")):
        list(read_members(zipped, lambda _: True, limit=4 << 20))
