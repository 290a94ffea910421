"""Tables that name what they should not: refused by file and row, before any request."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.datasets.crisismmd import COLUMNS, read_annotations
from pipeline.datasets.download import fill_raw
from pipeline.inputs.manifest import SOURCES, is_source


def fill(manifest: Path) -> str:
    """Fill a raw folder from a manifest, which must fail, and return the message."""
    raw = manifest.parent / "data" / "raw"
    with pytest.raises(ValueError, match=manifest.name) as caught:
        fill_raw("youtube", str(manifest), raw)
    assert not raw.exists()
    return str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        *("file:///etc/passwd", "FILE:/etc/passwd", "ftp://h/a.mp4", "concat:/a|b", "data:/x"),
        *("http:///a.mp4", "http://:80/a.mp4", "http://u@/a", "http://h:x/a"),
        *("http://[::1/a", "http://h h/a", "http://h%31/a"),
        # Unicode hosts that look like others.
        *("http://h\u2100h/a", "http://h\u00a0h/a", "http://\u202eh/a"),
        *("http://h\n.org/a", "http://h/a\r\nCookie: b"),
        *("../a.mp4", "clips/../../a.mp4"),
    ],
)
def test_a_manifests_source_is_refused(tmp_path: Path, value: str) -> None:
    path = tmp_path / "own" / "clips.csv"
    path.parent.mkdir()
    (tmp_path / "a.mp4").write_bytes(b"secret")
    path.write_text(f'id,source,start,end,description,flood\na,a.mp4,,,,1\nb,"{value}",,,,0\n')
    assert fill(path) == f"{path}: row 3, column source is {value!r}; allowed: {SOURCES}"


@pytest.mark.parametrize(
    "source", ["--exec=touch pwned", "-o/etc/cron.d/x", "ytsearch99:flood", "|touch pwned"]
)
def test_a_source_is_never_an_option_or_a_command(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "clips.csv"
    path.write_text(f"id,source,start,end,description,flood\na,{source},,,,1\n")
    assert fill(path) == (
        f"{path}: none of its clips exists, the first would be {tmp_path}/{source}; "
        "sources are relative to the manifest"
    )
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:80", "10.0.0.5", "[::1]:80", "user:word@h", "films", "m\u00fcnchen.de", "a_b.org"],
)
def test_hosts_of_the_users_network_and_of_any_script_are_sources(host: str) -> None:
    assert is_source(f"http://{host}/a film.mp4")


@pytest.mark.parametrize(
    "image_path",
    [
        *("data_image/../../x.jpg", "../x.jpg", "/etc/passwd", "data_image", "x.jpg", ""),
        *("data_image/\x1b[2J.jpg", "data_image/a\u202egpj.exe"),
    ],
)
def test_an_image_path_stays_below_data_image(tmp_path: Path, image_path: str) -> None:
    file = tmp_path / "annotations" / "flood_final_data.tsv"
    file.parent.mkdir()
    row = [image_path if column == "image_path" else column for column in COLUMNS]
    file.write_text("\t".join(COLUMNS) + "\n" + "\t".join(row) + "\n")
    expected = f"row 2, column image_path is {image_path!r}; allowed: a path below data_image/"
    with pytest.raises(ValueError, match=re.escape(f"{file}: {expected}")):
        read_annotations(tmp_path)
