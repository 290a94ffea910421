"""Clips of which the file becomes another one on the way."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from clip_answers import piece, refused

from pipeline.datasets.clips import ranged
from pipeline.datasets.clips.fetch import Wanted
from pipeline.datasets.clips.kept import Clips
from pipeline.datasets.clips.site import Manners

attack = pytest.mark.attack


@attack("Clips", "another version between two pieces", "starts again once")
def test_two_versions_are_never_mixed(
    tmp_path: Path, serve: Any, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranged, "PIECE", 2000)
    page, old, new = piece(film), piece(film, '"v0"'), piece(film)
    server = serve(page, old, new)
    wanted = Wanted(f"{server.url}/film.mp4", 1.0, 2.0)
    found = Clips(tmp_path / "clips", Manners(0.0, 0.0)).fetch(wanted)
    same = Wanted(f"{serve(page).url}/film.mp4", 1.0, 2.0)
    expected = Clips(tmp_path / "same", Manners(0.0, 0.0)).fetch(same)
    assert found.path.read_bytes() == expected.path.read_bytes()
    assert [headers.get("Range") for headers in server.asked].count("bytes=0-1999") == 2


@attack("Clips", "another version with each piece", "{url}: changed again while it was fetched")
@pytest.mark.parametrize("by", ["tag", "size"])
def test_a_file_that_goes_on_changing_is_refused(
    tmp_path: Path, serve: Any, film: bytes, monkeypatch: pytest.MonkeyPatch, by: str, ends: str
) -> None:
    monkeypatch.setattr(ranged, "PIECE", 2000)
    versions = [
        piece(film, f'"v{n}"') if by == "tag" else piece(film + bytes(n)) for n in range(50)
    ]
    url = f"{serve(*versions).url}/film.mp4"
    found = refused(tmp_path, Wanted(url, 1.0, 2.0))
    assert found == ("download_failed", ends.format(url=url))


@attack(
    "Clips", "another version while a whole clip is resumed", "starts again from the first byte"
)
def test_a_whole_clip_is_of_one_version(tmp_path: Path, serve: Any, film: bytes) -> None:
    def half(handler: BaseHTTPRequestHandler) -> None:
        piece(b"old" * len(film), '"v0"', send=len(film) // 2)(handler)

    def new(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers.get("If-Range", '"v1"') != '"v1"':
            del handler.headers["Range"]
        piece(film)(handler)

    server = serve(piece(film, '"v0"'), half, new)
    found = Clips(tmp_path / "clips", Manners(0.0, 0.0)).fetch(Wanted(f"{server.url}/film.mp4"))
    assert found.path.read_bytes() == film
    assert server.asked[2]["Range"].startswith("bytes=")
