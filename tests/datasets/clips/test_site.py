from __future__ import annotations

import errno
import ssl
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from yt_dlp import YoutubeDL
from yt_dlp.utils import YoutubeDLError

from pipeline.datasets.clips import patience, site
from pipeline.datasets.clips.error import ClipError
from pipeline.datasets.clips.fetch import Wanted
from pipeline.datasets.clips.kept import Clips
from pipeline.datasets.clips.site import FORMAT, Manners, Site, options
from pipeline.datasets.clips.site_ranges import SiteRanges


def form(name: str, height: int | None, **values: Any) -> dict[str, Any]:
    base = {"format_id": name, "url": f"https://film.test/{name}", "protocol": "https"}
    return {**base, "ext": "mp4", "height": height, "vcodec": "avc1", "acodec": "mp4a", **values}


def video(name: str, height: int, **values: Any) -> dict[str, Any]:
    return form(name, height, acodec="none", **values)


SOUND = form("sound", None, vcodec="none")


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ([form("360", 360), form("480", 480), form("720", 720)], ["480"]),
        ([video("480", 480), video("1080", 1080), SOUND, form("720", 720)], ["480", "sound"]),
        ([form("360", 360), video("480", 480), SOUND], ["360"]),
        ([form("any", None)], ["any"]),
        ([video("mute", 240)], ["mute"]),
        ([SOUND], ["sound"]),
        ([form("list", 360, protocol="m3u8_native"), form("144", 144)], ["144"]),
        ([form("720", 720), form("list", 360, protocol="m3u8_native")], []),
    ],
)
def test_at_most_480_lines_over_plain_http_are_chosen(
    formats: list[dict[str, Any]], expected: list[str], tmp_path: Path
) -> None:
    info = {"id": "x", "title": "x", "formats": formats, "extractor": "t", "extractor_key": "T"}
    with YoutubeDL(options(tmp_path, Manners(), FORMAT), auto_init=False) as client:
        try:
            found = client.process_video_result(info, download=False)
        except YoutubeDLError:
            assert not expected
            return
    assert [chosen["format_id"] for chosen in site.chosen(found)] == expected


def test_the_manners_reach_yt_dlp(tmp_path: Path) -> None:
    given = options(tmp_path, Manners(pause=5.0, wait=1.0), FORMAT)
    assert given["sleep_interval_requests"] == 1.0
    for phase in ("http", "extractor"):
        assert [given["retry_sleep_functions"][phase](n) for n in range(3)] == [1.0, 2.0, 4.0]
    assert given["retries"] == given["extractor_retries"] == 5
    assert given["geo_bypass"] is False


def test_a_file_without_end_is_cut_off(
    serve: Any, give: Any, film: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "LIMIT", 1000)
    url = f"{serve(give(film, ranges=False)).url}/film.mp4"
    with Site(url, tmp_path / "whole", Manners(0.0, 0.0)) as opened:
        info = opened.look()
        with pytest.raises(ClipError):
            opened.download(info)


def test_a_broken_extractor_loses_one_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise AttributeError("no\nsuch thing")

    monkeypatch.setattr(YoutubeDL, "extract_info", broken)
    opened = Site("http://film.test/a", tmp_path / "whole", Manners(0.0, 0.0))
    with opened, pytest.raises(ClipError) as caught:
        opened.look()
    assert str(caught.value) == "http://film.test/a: AttributeError: no such thing"
    assert caught.value.kind == "download_failed"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the site was left alone, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", waited.append)
    return waited


def look(url: str, folder: Path) -> dict[str, Any]:
    with Site(url, folder, Manners(pause=0.0, wait=1.0)) as opened:
        return opened.look()


def test_a_look_up_that_fails_for_a_while_is_tried_again(
    serve: Any, give: Any, film: bytes, tmp_path: Path, waits: list[float]
) -> None:
    server = serve(give(status=500), give(status=503), give(film))
    assert look(f"{server.url}/film.mp4", tmp_path)["title"] == "film"
    assert waits == [1.0, 2.0]


@pytest.mark.parametrize(("asked", "waited"), [("7", [7.0]), ("86400", None)])
def test_a_look_up_waits_for_what_the_site_asks_for(
    serve: Any,
    give: Any,
    film: bytes,
    tmp_path: Path,
    waits: list[float],
    asked: str,
    waited: list[float] | None,
) -> None:
    def busy(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(503)
        handler.send_header("Retry-After", asked)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    url = f"{serve(busy, give(film)).url}/film.mp4"
    if waited is None:
        with pytest.raises(ClipError, match="503"):
            look(url, tmp_path)
    else:
        assert look(url, tmp_path)["title"] == "film"
    assert waits == (waited or [])


@pytest.mark.parametrize("status", [401, 404, 429, 451])
def test_what_will_not_pass_is_not_looked_up_again(
    serve: Any, give: Any, tmp_path: Path, waits: list[float], status: int
) -> None:
    server = serve(give(status=status))
    with pytest.raises(ClipError):
        look(f"{server.url}/film.mp4", tmp_path)
    assert (len(server.asked), waits) == (1, [])


def test_a_network_that_stays_away_is_given_up(tmp_path: Path, waits: list[float]) -> None:
    with pytest.raises(ClipError) as caught:
        look("http://127.0.0.1:9/film.mp4", tmp_path)
    assert caught.value.kind == "network"
    assert waits == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize(
    "fault",
    [
        ssl.SSLError(1, "no cipher"),
        URLError("no route"),
        KeyError("url"),
        RuntimeError("two\nlines"),
        AssertionError(),
    ],
    ids=lambda fault: type(fault).__name__,
)
@pytest.mark.parametrize("late", [False, True], ids=["opened", "read"])
def test_whatever_a_library_raises_loses_one_clip(
    serve: Any,
    give: Any,
    film: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    late: bool,
) -> None:
    def broken(*_: Any) -> Any:
        raise fault

    made = (lambda *_: broken) if late else broken
    monkeypatch.setattr(SiteRanges, "asker", made)
    url = f"{serve(give(film)).url}/film.mp4"
    with pytest.raises(ClipError) as caught:
        Clips(tmp_path / "clips", Manners(0.0, 0.0)).fetch(Wanted(url, 1.0, 2.0))
    assert caught.value.kind == "download_failed"
    assert str(caught.value).startswith(f"{url}: {type(fault).__name__}: ")
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_no_fault_of_the_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(YoutubeDL, "extract_info", full)
    with pytest.raises(OSError, match="No space left"):
        look("http://film.test/a", tmp_path)
