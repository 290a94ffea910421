"""yt-dlp gets our options and the user's, and is asked again as politely as they say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from yt_dlp import YoutubeDL
from yt_dlp.utils import YoutubeDLError

from pipeline.datasets.clips.clip_cache import ClipCache, ClipRequest
from pipeline.datasets.clips.site import chosen, read_options

Options = Callable[..., dict[str, Any]]


def form(name: str, height: int | None, **values: Any) -> dict[str, Any]:
    base = {"format_id": name, "url": f"https://film.test/{name}", "protocol": "https"}
    return {**base, "ext": "mp4", "height": height, "vcodec": "avc1", "acodec": "mp4a", **values}


def video(name: str, height: int, **values: Any) -> dict[str, Any]:
    return form(name, height, acodec="none", **values)


SOUND = form("sound", None, vcodec="none")
HLS = {"protocol": "m3u8_native"}


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ([form("360", 360), form("480", 480), form("720", 720)], ["480"]),
        ([video("480", 480), video("1080", 1080), SOUND, form("720", 720)], ["480", "sound"]),
        ([form("360", 360), video("480", 480), SOUND], ["360"]),
        ([form("any", None)], ["any"]),
        ([video("mute", 240)], ["mute"]),
        ([SOUND], ["sound"]),
        ([form("list", 360, **HLS), form("144", 144)], ["144"]),
        ([form("720", 720), form("list", 360, **HLS)], ["list"]),
        ([form("720", 720), form("list", 720, **HLS)], []),
        ([form("stream", 360, protocol="rtmp")], []),
    ],
)
def test_at_most_480_lines_are_chosen_and_segments_last(
    formats: list[dict[str, Any]], expected: list[str]
) -> None:
    info = {"id": "x", "title": "x", "formats": formats, "extractor": "t", "extractor_key": "T"}
    with YoutubeDL({**read_options(None, 0.0), "quiet": True}, auto_init=False) as client:
        try:
            result = client.process_video_result(info, download=False)
        except YoutubeDLError:
            assert not expected
            return
    assert [file["format_id"] for file in chosen(result)] == expected


def test_waits_double_and_a_country_is_not_pretended() -> None:
    options = read_options(None, pause=5.0)
    assert options["sleep_interval_requests"] == 1.0
    for phase in ("http", "extractor", "fragment"):
        sleep = options["retry_sleep_functions"][phase]
        assert [sleep(n=attempt) for attempt in range(3)] == [1.0, 2.0, 4.0]
    assert options["geo_bypass"] is False


def test_a_users_file_overrides_our_options(options: Options) -> None:
    lines = ["# mine", "--retries 9", "--proxy 'http://proxy.test:1'", "-f b", "--retry-sleep 7"]
    values = options(*lines, "--extractor-args 'youtube:player_client=tv'")
    assert (values["retries"], values["format"]) == (9, "b")
    assert values["proxy"] == "http://proxy.test:1"
    assert values["extractor_args"] == {"youtube": {"player_client": ["tv"]}}
    assert values["fragment_retries"] == 4  # ours still


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("--nonsense", "no such option: --nonsense"),
        ("--retries many", 'invalid download retry count "many" given'),
        ("--output x", "remove --output; docs/youtube.md says what is fixed"),
        ("-P /tmp --ignore-errors", "remove --paths, --ignore-errors; docs/youtube.md says what"),
        ("--extract-audio", "remove a post-processing option; "),
        ("--plugin-dirs /x", "remove --plugin-dirs (install the plugin with pip instead); "),
        ("http://film.test/a", "'http://film.test/a' is no option; addresses belong into the "),
        ("--proxy 'open", "No closing quotation"),
        ("--impersonate nobody", 'Impersonate target "nobody" is not available'),
    ],
)
def test_a_wrong_line_of_a_users_file_is_an_error(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "yt-dlp.conf"
    file.write_text(line)
    with pytest.raises(ValueError, match=re.escape(f"HGFN_YTDLP: {file}: {reason}")) as caught:
        read_options(file, 0.0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "<html>not cookies</html>", "a\tb\n", "\xff"])
def test_a_wrong_cookies_file_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "cookies.txt").write_text(text, encoding="latin-1")
    file = tmp_path / "yt-dlp.conf"
    file.write_text(f"--cookies {tmp_path / 'cookies.txt'}")
    with pytest.raises(ValueError, match=r"cookies\.txt is no cookies file in Netscape"):
        read_options(file, 0.0)


def test_cookies_are_sent_and_the_file_stays_as_it_is(
    tmp_path: Path, serve: Any, give: Any, film: bytes, options: Options
) -> None:
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tpass\tsecret\n")
    before = cookies.read_bytes()
    site = serve(give(film))
    clips = ClipCache(tmp_path / "clips", options(f"--cookies '{cookies}'"))
    for span in ((1.0, 2.0), (None, None)):
        clips.fetch(ClipRequest(f"{site.url}/film.mp4", *span))
    assert {headers.get("Cookie") for headers in site.asked} == {"pass=secret"}
    assert cookies.read_bytes() == before
    files = (path for path in clips.folder.rglob("*") if path.is_file())
    assert b"secret" not in b"".join(path.read_bytes() for path in files)


def test_a_look_up_that_fails_for_a_while_is_tried_again(
    serve: Any, give: Any, film: bytes, clips: ClipCache
) -> None:
    site = serve(give(status=500), give(status=503), give(film))
    assert clips.fetch(ClipRequest(f"{site.url}/film.mp4")).text == "film"


@pytest.mark.parametrize("line", ["--write-info-json", "--write-link", "--write-desktop-link"])
def test_a_file_that_is_written_beside_the_clip_is_not_taken_for_it(
    tmp_path: Path, serve: Any, give: Any, film: bytes, options: Options, line: str
) -> None:
    clips = ClipCache(tmp_path / "clips", options(line))
    clip = clips.fetch(ClipRequest(f"{serve(give(film)).url}/film.mp4"))
    assert clip.path.read_bytes() == film
    assert {path.name for path in clip.path.parent.iterdir()} == {"clip.mp4", "about.json"}
