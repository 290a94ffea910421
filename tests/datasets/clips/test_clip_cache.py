"""A clip is fetched once, as the site has it, and is whole or absent."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.datasets.clips.clip_cache import ClipCache, ClipRequest
from pipeline.datasets.clips.ranges import PIECE
from pipeline.media.audio import read_waveform
from pipeline.media.video import sample_frames

Refused = Callable[[ClipRequest], tuple[str, str]]
both_ways = pytest.mark.parametrize("ranges", [True, False], ids=["pieces", "whole"])


@pytest.mark.parametrize(
    ("span", "ranges"),
    [
        ((3.25, 5.0), True),
        ((None, 2.0), True),
        ((8.5, None), True),
        ((0.0, 10.0), True),
        ((4.0, 4.5), True),
        ((3.25, 5.0), False),
    ],
)
def test_a_span_shows_what_the_whole_film_shows_then(
    clips: ClipCache, serve: Any, give: Any, film: bytes, tmp_path: Path, span: Any, ranges: bool
) -> None:
    request = ClipRequest(f"{serve(give(film, ranges=ranges)).url}/film.mp4", *span)
    clip = clips.fetch(request)
    (tmp_path / "film.mp4").write_bytes(film)
    expected = sample_frames(tmp_path / "film.mp4", 8, *span).frames
    start, end = clip.span(request)
    sampled = sample_frames(clip.path, 8, start, end)
    assert not sampled.truncated
    assert np.abs(sampled.frames.astype(int) - expected).max() <= 1
    seconds = (span[1] or 10.0) - (span[0] or 0.0)
    sound = read_waveform(clip.path, 8000, start, end).samples
    assert len(sound) / 8000 == pytest.approx(seconds, abs=0.1)


def test_only_the_requested_seconds_travel(
    clips: ClipCache, serve: Any, give: Any, large_film: bytes
) -> None:
    site = serve(give(large_film))
    clips.fetch(ClipRequest(f"{site.url}/film.mp4", 20.0, 21.0))
    look_up, *pieces = site.asked
    assert "Range" not in look_up  # yt-dlp looks at the first bytes and hangs up
    assert all(headers["Range"] for headers in pieces)
    assert len(pieces) * PIECE < len(large_film) / 2


def test_a_whole_clip_is_the_sites_bytes(
    clips: ClipCache, serve: Any, give: Any, film: bytes
) -> None:
    clip = clips.fetch(ClipRequest(f"{serve(give(film)).url}/The%20flood.mp4"))
    assert clip.path.read_bytes() == film
    assert (clip.path.suffix, clip.offset, clip.text) == (".mp4", 0.0, "The flood")


def test_the_same_clip_gives_the_same_bytes(clips: ClipCache, url: str, tmp_path: Path) -> None:
    request = ClipRequest(url, 2.0, 4.0)
    first = clips.fetch(request).path.read_bytes()
    assert ClipCache(tmp_path / "again", clips.options).fetch(request).path.read_bytes() == first


def test_a_clip_is_fetched_once(clips: ClipCache, serve: Any, give: Any, film: bytes) -> None:
    site = serve(give(film))
    request = ClipRequest(f"{site.url}/film.mp4", 2.0, 4.0)
    assert clips.find(request) is None
    clip = clips.fetch(request)
    count = len(site.asked)
    assert clips.fetch(request) == clip == clips.find(request)
    assert len(site.asked) == count
    clips.fetch(ClipRequest(request.url, 2.0, 5.0))
    assert len(site.asked) > count


def test_another_format_is_another_clip(
    clips: ClipCache, url: str, options: Callable[..., dict[str, Any]]
) -> None:
    request = ClipRequest(url, 2.0, 4.0)
    clips.fetch(request)
    assert ClipCache(clips.folder, options("-f b")).find(request) is None


def test_clips_of_earlier_versions_stay_valid(clips: ClipCache) -> None:
    # The folder that this clip had before segmented formats were allowed.
    name = "a57614024c15027ec482335d6878f663958e95802f0829223c93bd9f19bcd914"
    place = clips.folder / name[:2] / name
    place.mkdir(parents=True)
    (place / "clip.mkv").write_bytes(b"clip")
    about = {"file": "clip.mkv", "offset": 0.5, "text": "a clip"}
    about["sha256"] = hashlib.sha256(b"clip").hexdigest()
    (place / "about.json").write_text(json.dumps(about))
    clip = clips.find(ClipRequest("https://film.test/a", 1.0, 2.5))
    assert clip is not None
    assert (clip.path, clip.offset) == (place / "clip.mkv", 0.5)


def test_a_damaged_clip_is_fetched_again(clips: ClipCache, url: str, film: bytes) -> None:
    request = ClipRequest(url)
    path = clips.fetch(request).path
    path.write_bytes(film[:-1])
    assert clips.find(request) is None
    assert clips.fetch(request).path.read_bytes() == film


def test_a_fault_of_this_machine_costs_no_clip(clips: ClipCache, url: str, film: bytes) -> None:
    request = ClipRequest(url)
    path = clips.fetch(request).path
    about = path.with_name("about.json")
    about.unlink()
    about.symlink_to(about)
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        clips.fetch(request)
    assert path.read_bytes() == film


def test_what_a_killed_run_left_is_never_taken_for_whole(
    clips: ClipCache, url: str, film: bytes
) -> None:
    request = ClipRequest(url)
    place = clips.fetch(request).path.parent
    left = place.with_name(f"{place.name}.part")
    shutil.move(place, left)
    (left / "whole").mkdir()
    (left / "whole" / "0.mp4.part").write_bytes(b"half of another film")
    assert clips.find(request) is None
    assert clips.fetch(request).path.read_bytes() == film
    assert not left.exists()
    assert {path.name for path in place.iterdir()} == {"clip.mp4", "about.json"}


@both_ways
@pytest.mark.parametrize(
    ("span", "reason"),
    [
        ((9.0, 12.0), "1.0 of the 3.0 requested seconds were received"),
        ((20.0, 30.0), "0.0 of the 10.0 requested seconds were received"),
        ((20.0, 21.0), "seconds were received"),
        ((20.0, None), "(seconds were received|ends before second 20)"),
        ((9.6, 10.5), "seconds were received"),
    ],
)
def test_a_span_after_the_end_is_refused(
    refused: Refused, serve: Any, give: Any, film: bytes, span: Any, reason: str, ranges: bool
) -> None:
    url = f"{serve(give(film, ranges=ranges)).url}/film.mp4"
    kind, message = refused(ClipRequest(url, *span))
    assert kind == "download_failed"
    assert re.fullmatch(f"{url}: .*{reason}", message)


def test_an_end_that_was_rounded_up_is_not_refused(clips: ClipCache, url: str) -> None:
    assert clips.fetch(ClipRequest(url, 8.0, 10.9))


@both_ways
@pytest.mark.parametrize("span", [(None, None), (1.0, 9.0)])
def test_a_film_that_was_cut_before_it_was_put_online_is_refused(
    refused: Refused, serve: Any, give: Any, film: bytes, span: Any, ranges: bool
) -> None:
    site = serve(give(film[: len(film) // 2], ranges=ranges))
    kind, message = refused(ClipRequest(f"{site.url}/film.mp4", *span))
    assert kind == "download_failed"
    assert message.endswith("seconds were received")


@both_ways
@pytest.mark.parametrize("span", [(None, None), (1.0, 9.0)])
def test_a_download_that_always_breaks_off_is_a_fault_of_the_network(
    refused: Refused, serve: Any, give: Any, film: bytes, span: Any, ranges: bool
) -> None:
    broken = give(film[: len(film) // 2], announced=len(film), ranges=False)
    if ranges:
        broken = give(film, announced=len(film) + 9)
    kind, message = refused(ClipRequest(f"{serve(give(film), broken).url}/film.mp4", *span))
    assert kind == "network", message


def test_a_download_that_breaks_off_once_goes_on(
    clips: ClipCache, serve: Any, give: Any, film: bytes
) -> None:
    broken = give(film[: len(film) // 2], announced=len(film), ranges=False)
    site = serve(give(film), broken, give(film))
    assert clips.fetch(ClipRequest(f"{site.url}/film.mp4")).path.read_bytes() == film
    assert site.asked[2]["Range"].startswith("bytes=")


@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [
        (401, "private", 1),
        (403, "download_failed", 1),
        (404, "removed", 1),
        (429, "bot_check", 1),
        (451, "geo_blocked", 1),
        (500, "network", 5),
    ],
)
def test_an_answer_has_its_kind_and_only_what_may_pass_is_requested_again(
    refused: Refused, serve: Any, give: Any, film: bytes, status: int, kind: str, requests: int
) -> None:
    site = serve(give(status=status))
    result, message = refused(ClipRequest(f"{site.url}/film.mp4"))
    assert result == kind
    assert re.match(f"{site.url}/film.mp4: .*HTTP Error {status}", message)
    assert len(site.asked) == requests
    # The same where the page can be seen, and the clip cannot.
    for span in ((1.0, 2.0), (None, None)):
        url = f"{serve(give(film), give(status=status)).url}/film.mp4"
        assert refused(ClipRequest(url, *span))[0] == kind


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/film.mp4", "http://nobody.invalid/film.mp4"])
def test_a_server_that_is_not_there_is_the_network(refused: Refused, url: str) -> None:
    kind, message = refused(ClipRequest(url))
    assert kind == "network"
    assert message.startswith(f"{url}: ")
    assert "\n" not in message
    assert len(message) < 400


def test_a_page_without_a_clip_is_refused(refused: Refused, serve: Any, give: Any) -> None:
    url = f"{serve(give(b'<html>no film</html>', type='text/html')).url}/page"
    assert refused(ClipRequest(url)) == ("download_failed", f"{url}: Unsupported URL: {url}")
