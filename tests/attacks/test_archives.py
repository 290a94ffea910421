"""Archives that want to write elsewhere, or to fill the disk: each is refused whole."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.datasets.archive import Limits, unpack

attack = pytest.mark.attack

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


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file beside the folder that is written, which no archive may change."""
    path = tmp_path / "raw-old" / "precious.txt"
    path.parent.mkdir()
    path.write_text("precious")
    return path


@pytest.fixture
def refused(tmp_path: Path, outside: Path) -> Iterator[Callable[..., str]]:
    """Unpacks, and returns the one line; afterwards nothing must be there that was not before."""
    made: list[Path] = []

    def run(archive: Path, limits: Limits | None = None) -> str:
        made.append(archive)
        with pytest.raises(ValueError, match=r"evil\.tar\.gz") as caught:
            unpack(archive, tmp_path / "raw", limits)
        return str(caught.value)

    yield run
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {*made, outside}
    assert outside.read_text() == "precious"
    assert not (tmp_path / "raw").exists()


GOOD = member("annotations/a.tsv", b"good")


@pytest.mark.parametrize(
    "members",
    [
        pytest.param(members, id=tried, marks=attack("Archives", tried, told))
        for tried, members, told in [
            (
                "a name that leads up: ../x",
                [member("../x", b"evil")],
                "{file}: member '../x' leads outside; fetch it again",
            ),
            (
                "a sibling that begins with the folder's name",
                [member("../raw-old/precious.txt", b"evil")],
                "{file}: member '../raw-old/precious.txt' leads outside; fetch it again",
            ),
            (
                "an absolute path",
                [member("/tmp/evil-hgfn", b"evil")],
                "{file}: member '/tmp/evil-hgfn' leads outside; fetch it again",
            ),
            (
                "a path up and down again",
                [member("annotations/../../x", b"evil")],
                "{file}: member 'annotations/../../x' leads outside; fetch it again",
            ),
            (
                "a path with another system's separators",
                [member("..\\x", b"evil")],
                "{file}: member '..\\\\x' leads outside; fetch it again",
            ),
            (
                "a symbolic link, then a file through it",
                [
                    member("d", type=tarfile.SYMTYPE, linkname="../raw-old"),
                    member("d/precious.txt", b"evil"),
                ],
                "{file}: member 'd' is a link to '../raw-old'; fetch it again",
            ),
            (
                "a symbolic link to a file of the archive",
                [GOOD, member("b.tsv", type=tarfile.SYMTYPE, linkname="annotations/a.tsv")],
                "{file}: member 'b.tsv' is a link to 'annotations/a.tsv'; fetch it again",
            ),
            (
                "a hard link to a file elsewhere",
                [member("h", type=tarfile.LNKTYPE, linkname="../raw-old/precious.txt")],
                "{file}: member 'h' is a link to '../raw-old/precious.txt'; fetch it again",
            ),
            (
                "a device",
                [member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
                "{file}: member 'null' is neither a file nor a folder; fetch it again",
            ),
            (
                "a named pipe",
                [member("pipe", type=tarfile.FIFOTYPE)],
                "{file}: member 'pipe' is neither a file nor a folder; fetch it again",
            ),
            (
                "the same name twice",
                [GOOD, member("annotations/a.tsv", b"evil")],
                "{file}: member 'annotations/a.tsv' stands there twice; fetch it again",
            ),
            (
                "the same name twice, in other words",
                [GOOD, member("./annotations//a.tsv", b"evil")],
                "{file}: member './annotations//a.tsv' stands there twice; fetch it again",
            ),
            (
                "a file taken for a folder",
                [GOOD, member("annotations/a.tsv/b", b"evil")],
                "{file}: member 'annotations/a.tsv/b' lies in a file; fetch it again",
            ),
        ]
    ],
)
def test_a_member_is_refused_by_name(
    refused: Callable[..., str], tmp_path: Path, members: Members, ends: str
) -> None:
    archive = pack(tmp_path / "evil.tar.gz", members)
    assert refused(archive) == ends.format(file=archive)


def repeated(path: Path, block: bytes, times: int) -> Path:
    """A .gz of one block many times, made as fast as one: gzip's members may follow each other."""
    packed = gzip.compress(block)
    path.write_bytes(packed * times)
    return path


@attack("Archives", "a million members", "{file}: holds more than {limit} members; fetch it again")
def test_a_million_members_end_early(
    refused: Callable[..., str], tmp_path: Path, ends: str
) -> None:
    block = member("folder", type=tarfile.DIRTYPE)[0].tobuf() * 1000
    archive = repeated(tmp_path / "evil.tar.gz", block, 1000)
    told = refused(archive, Limits(members=2000))
    assert told == ends.format(file=archive, limit="2,000")


@attack(
    "Archives",
    "10 GiB of zeros in 10 MB",
    "{file}: unpacks to more than 100 times its {size} bytes; fetch it again",
)
def test_a_huge_ratio_is_noticed(refused: Callable[..., str], tmp_path: Path, ends: str) -> None:
    head = member("zeros.bin")[0]
    head.size = 10 << 30
    path = tmp_path / "evil.tar.gz"
    path.write_bytes(gzip.compress(head.tobuf()) + gzip.compress(bytes(1 << 24)) * 3)
    assert refused(path) == ends.format(file=path, size=f"{path.stat().st_size:,}")


@attack(
    "Archives",
    "more bytes than allowed",
    "{file}: unpacks to more than 5,000 bytes; fetch it again",
)
def test_bytes_are_counted(refused: Callable[..., str], tmp_path: Path, ends: str) -> None:
    noise = bytes(range(256)) * (3 << 12)
    archive = pack(tmp_path / "evil.tar.gz", [member("big.bin", noise)])
    assert refused(archive, Limits(total=5000)) == ends.format(file=archive)


@attack(
    "Archives",
    "an extended header of a gigabyte",
    "{file}: holds a header of 1,073,741,824 bytes; fetch it again",
)
def test_headers_are_bounded(refused: Callable[..., str], tmp_path: Path, ends: str) -> None:
    head = tarfile.TarInfo("long")
    head.type, head.size = tarfile.XHDTYPE, 1 << 30
    path = tmp_path / "evil.tar.gz"
    path.write_bytes(gzip.compress(head.tobuf(tarfile.USTAR_FORMAT) + bytes(4096)))
    assert refused(path) == ends.format(file=path)


@attack(
    "Archives",
    "extended headers without end",
    "{file}: holds a chain of headers; fetch it again",
)
def test_a_chain_of_headers_ends(refused: Callable[..., str], tmp_path: Path, ends: str) -> None:
    head = tarfile.TarInfo("x")
    body = b"11 path=ab\n"
    head.type, head.size = tarfile.XHDTYPE, len(body)
    one = head.tobuf(tarfile.USTAR_FORMAT) + body.ljust(512, b"\0")
    archive = repeated(tmp_path / "evil.tar.gz", one * 100, 100)
    assert refused(archive) == ends.format(file=archive)
