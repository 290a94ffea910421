"""Lists of clips that name what they should not: refused by row and column, before any request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.datasets.download import fetch_youtube
from pipeline.inputs.manifest import SOURCES, is_source

attack = pytest.mark.attack


def told(read: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(ValueError, match=path.name) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def sources(tried: str, *values: str) -> list[object]:
    ends = "{file}: row 3, column source is {source}; allowed: " + SOURCES
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
        assert is_source(f"http://{host}/a film.mp4")
