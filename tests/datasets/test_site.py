from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from yt_dlp import YoutubeDL
from yt_dlp.utils import YoutubeDLError

from pipeline.datasets import site
from pipeline.datasets.clip_error import ClipError
from pipeline.datasets.site import FORMAT, Manners, Site, options


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
