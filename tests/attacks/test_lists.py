"""Lists of clips that name what they should not: refused by row and column, before any request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.datasets import clip_source
from pipeline.datasets.download import fetch_youtube
from pipeline.datasets.vidi import write_manifest
from pipeline.datasets.vidi_list import HEADER

attack = pytest.mark.attack


def told(read: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(ValueError, match=path.name) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def sources(tried: str, *values: str) -> list[object]:
    ends = "{file}: row 3, column source is {source}; allowed: " + clip_source.ALLOWED
    mark = attack("Text", f"manifest: {tried}", ends)
    return [pytest.param(value, id=f"{tried}: {value!r}", marks=mark) for value in values]


@pytest.mark.parametrize(
    "value",
    [
        *sources("a file under an address", "file:///etc/passwd", "FILE:/etc/passwd"),
        *sources("another protocol", "ftp://h/a.mp4", "concat:/a|b", "data:/x"),
        *sources("an address without a host", "http:///a.mp4", "http://:80/a.mp4", "http://u@/a"),
        *sources("a port that cannot be", "http://h:0/a", "http://h:65536/a", "http://h:x/a"),
        *sources(
            "a host that cannot be",
            *("http://[::1/a", "http://h h/a", "http://h%31/a", f"http://{'h' * 64}.org/a"),
        ),
        *sources(
            "a Unicode host that reads as another",
            *("http://h\u2100h/a", "http://h\u00a0h/a", "http://\u202eh/a"),
        ),
        *sources(
            "an address that holds control characters",
            *("http://h\n.org/a", "http://h/a\r\nCookie: b", "http://h/\0"),
        ),
        *sources(
            "a link-local address, where clouds keep credentials",
            *("http://169.254.169.254/a", "http://[fe80::1]/a", "http://[::ffff:169.254.169.254]/"),
        ),
        *sources(
            "a link-local address in other words",
            *("http://2852039166/a", "http://0xa9fea9fe/a", "http://\uff1169.254.169.254/a"),
        ),
        *sources("a path that leads up", "../a.mp4", "clips/../../a.mp4"),
    ],
)
def test_a_manifests_source_is_refused(tmp_path: Path, value: str, ends: str) -> None:
    path = tmp_path / "own" / "clips.csv"
    path.parent.mkdir()
    (tmp_path / "a.mp4").write_bytes(b"secret")
    path.write_text(f'id,source,start,end,description,flood\na,a.mp4,,,,1\nb,"{value}",,,,0\n')
    assert told(fill(tmp_path), path) == ends.format(file=path, source=repr(value))
    assert not (tmp_path / "data" / "raw").exists()


def fill(folder: Path) -> Callable[[Path], object]:
    return lambda manifest: fetch_youtube(str(manifest), folder / "data" / "raw")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            source,
            marks=attack(
                "Text",
                f"manifest: the source {source}",
                "{file}: none of its clips is there, the first would be {folder}/"
                f"{source}; sources are relative to the manifest",
            ),
        )
        for source in ("--exec=touch pwned", "-o/etc/cron.d/x", "ytsearch99:flood", "|touch pwned")
    ],
)
def test_a_source_is_never_an_option_or_a_command(
    tmp_path: Path, source: str, ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "clips.csv"
    path.write_text(f"id,source,start,end,description,flood\na,{source},,,,1\n")
    assert told(fill(tmp_path), path) == ends.format(file=path, folder=tmp_path)
    assert not (tmp_path / "pwned").exists()


def test_a_host_of_ones_own_network_and_a_name_in_any_script_are_sources() -> None:
    for host in ("127.0.0.1:80", "10.0.0.5", "[::1]", "films", "m\u00fcnchen.de", "a_b.org"):
        assert clip_source.is_source(f"http://{host}/a film.mp4")


def vidi(tried: str, row: bytes, what: str) -> object:
    mark = attack("Text", f"VIDI: a list with {tried}", f"{{file}}: {what}")
    return pytest.param(row, id=tried, marks=mark)


@pytest.mark.parametrize(
    "row",
    [
        vidi(
            "bytes that are no UTF-8",
            b"fog,film-000001,1,2,\xff",
            "row 2 is not UTF-8 (invalid start byte)",
        ),
        vidi(
            "a field of 200,000 letters",
            b"f" * 200_000 + b",film-000001,1,2,EN",
            "row 2 is no CSV (field larger than field limit (131072))",
        ),
        vidi(
            "a NUL byte",
            b"fog,film\x00000001,1,2,EN",
            "row 2, column youtube_id is 'film\\x00000001'; expected 11 letters, digits, _ or -",
        ),
        vidi(
            "an option in place of an id",
            b"fog,--exec=a.sh,1,2,EN",
            "row 2, column youtube_id is '--exec=a.sh'; expected 11 letters, digits, _ or -",
        ),
        vidi(
            "a label that leads up",
            b"../../a,film-000001,1,2,EN",
            "row 2, column label is '../../a'; expected the name of an incident",
        ),
    ],
)
def test_vidis_list_is_refused(tmp_path: Path, row: bytes, ends: str) -> None:
    path = tmp_path / "fog.csv"
    path.write_bytes(",".join(HEADER).encode() + b"\n" + row + b"\n")
    assert told(lambda path: write_manifest([path], tmp_path), path) == ends.format(file=path)
