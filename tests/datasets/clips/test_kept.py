from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.datasets.clips import kept, ranged
from pipeline.datasets.clips.error import ClipError
from pipeline.datasets.clips.fetch import Wanted
from pipeline.datasets.clips.kept import Clips, Fetched
from pipeline.datasets.clips.site import Manners
from pipeline.media.audio import read_waveform
from pipeline.media.video import sample_frames

AT_ONCE = Manners(pause=0.0, wait=0.0)
Fetch = Callable[..., Fetched]


@pytest.fixture
def clips(tmp_path: Path) -> Clips:
    return Clips(tmp_path / "clips", AT_ONCE)


def refused(clips: Clips, wanted: Wanted) -> tuple[str, str]:
    with pytest.raises(ClipError) as caught:
        clips.fetch(wanted)
    assert not [
        path for path in clips.folder.rglob("*") if path.suffix != ".lock" and path.is_file()
    ]
    return caught.value.kind, str(caught.value)


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
    clips: Clips, serve: Any, give: Any, film: bytes, tmp_path: Path, span: Any, ranges: bool
) -> None:
    site = serve(give(film, ranges=ranges))
    wanted = Wanted(f"{site.url}/film.mp4", *span)
    fetched = clips.fetch(wanted)
    (tmp_path / "film.mp4").write_bytes(film)
    expected = sample_frames(tmp_path / "film.mp4", 8, *span).frames
    start, end = fetched.span(wanted)
    found = sample_frames(fetched.path, 8, start, end)
    assert not found.truncated
    assert np.abs(found.frames.astype(int) - expected).max() <= 1
    seconds = (span[1] or 10.0) - (span[0] or 0.0)
    assert len(read_waveform(fetched.path, 8000, start, end).samples) / 8000 == pytest.approx(
        seconds, abs=0.1
    )


def test_only_the_wanted_seconds_travel(
    clips: Clips, serve: Any, give: Any, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranged, "PIECE", 2048)
    site = serve(give(film))
    clips.fetch(Wanted(f"{site.url}/film.mp4", 6.0, 7.0))
    looked, *pieces = site.asked
    assert "Range" not in looked  # yt-dlp looks at the first bytes and hangs up
    assert all(headers["Range"] for headers in pieces)
    assert 2048 * len(pieces) < len(film) / 2


def test_a_whole_clip_is_the_sites_bytes(clips: Clips, serve: Any, give: Any, film: bytes) -> None:
    fetched = clips.fetch(Wanted(f"{serve(give(film)).url}/The%20flood.mp4"))
    assert fetched.path.read_bytes() == film
    assert (fetched.path.suffix, fetched.offset, fetched.text) == (".mp4", 0.0, "The flood")


def test_the_same_clip_gives_the_same_bytes(
    clips: Clips, serve: Any, give: Any, film: bytes, tmp_path: Path
) -> None:
    wanted = Wanted(f"{serve(give(film)).url}/film.mp4", 2.0, 4.0)
    first = clips.fetch(wanted).path.read_bytes()
    assert Clips(tmp_path / "again", AT_ONCE).fetch(wanted).path.read_bytes() == first


def test_a_clip_is_fetched_once(clips: Clips, serve: Any, give: Any, film: bytes) -> None:
    site = serve(give(film))
    wanted = Wanted(f"{site.url}/film.mp4", 2.0, 4.0)
    assert clips.kept(wanted) is None
    fetched = clips.fetch(wanted)
    asked = len(site.asked)
    assert clips.fetch(wanted) == fetched == clips.kept(wanted)
    assert len(site.asked) == asked
    clips.fetch(Wanted(wanted.url, 2.0, 5.0))
    assert len(site.asked) > asked


def test_a_damaged_clip_is_fetched_again(clips: Clips, serve: Any, give: Any, film: bytes) -> None:
    wanted = Wanted(f"{serve(give(film)).url}/film.mp4")
    path = clips.fetch(wanted).path
    path.write_bytes(film[:-1])
    assert clips.kept(wanted) is None
    assert clips.fetch(wanted).path.read_bytes() == film


def test_a_clip_that_cannot_be_read_back_is_told(
    clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[Path] = []

    def damaged(work: Path, *_: object) -> None:
        fetched.append(work)
        assert len(fetched) == 1
        (work / "clip.mkv").write_bytes(b"clip")
        about = {"file": "clip.mkv", "sha256": "that of other bytes", "offset": 0.0, "text": ""}
        (work / "about.json").write_text(json.dumps(about))

    monkeypatch.setattr(kept, "fetch_into", damaged)
    with pytest.raises(ClipError, match=r"http://site\.test/a: came whole, and is damaged in "):
        clips.fetch(Wanted("http://site.test/a"))


def test_a_fault_of_this_machine_costs_no_clip(
    clips: Clips, serve: Any, give: Any, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Wanted(f"{serve(give(film)).url}/film.mp4")
    path = clips.fetch(wanted).path

    def too_many(_: Path) -> str:
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    monkeypatch.setattr(kept, "sha256_of", too_many)
    with pytest.raises(OSError, match="Too many open files"):
        clips.fetch(wanted)
    assert path.read_bytes() == film


def test_what_a_killed_run_left_is_never_taken_for_whole(
    clips: Clips, serve: Any, give: Any, film: bytes
) -> None:
    wanted = Wanted(f"{serve(give(film)).url}/film.mp4")
    place = clips.fetch(wanted).path.parent
    left = place.with_name(f"{place.name}.part")
    shutil.move(place, left)
    (left / "whole").mkdir()
    (left / "whole" / "0.mp4.part").write_bytes(b"half of another film")
    assert clips.kept(wanted) is None
    assert clips.fetch(wanted).path.read_bytes() == film
    assert not left.exists()
    assert {path.name for path in place.iterdir()} == {"clip.mp4", "about.json"}


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize(
    ("span", "told"),
    [((9.0, 12.0), "1.0 of the 3.0 seconds wanted came"), ((20.0, 30.0), "0.0 of the 10.0 se")],
)
def test_a_span_behind_the_end_is_refused(
    clips: Clips, serve: Any, give: Any, film: bytes, span: Any, told: str, ranges: bool
) -> None:
    url = f"{serve(give(film, ranges=ranges)).url}/film.mp4"
    kind, message = refused(clips, Wanted(url, *span))
    assert kind == "download_failed"
    assert message.startswith(f"{url}: {told}")


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("span", [(20.0, 21.0), (20.0, None), (9.6, 10.5)])
def test_a_span_of_which_next_to_nothing_is_there_is_refused(
    clips: Clips, serve: Any, give: Any, film: bytes, span: Any, ranges: bool
) -> None:
    url = f"{serve(give(film, ranges=ranges)).url}/film.mp4"
    kind, message = refused(clips, Wanted(url, *span))
    assert kind == "download_failed"
    assert "seconds wanted came" in message or message == f"{url}: ends before second 20"


def test_a_rounded_up_end_is_not(clips: Clips, serve: Any, give: Any, film: bytes) -> None:
    assert clips.fetch(Wanted(f"{serve(give(film)).url}/film.mp4", 8.0, 10.9))


@pytest.mark.parametrize("span", [(None, None), (1.0, 9.0)])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_film_that_was_cut_before_it_was_put_online_is_refused(
    clips: Clips, serve: Any, give: Any, film: bytes, span: Any, ranges: bool
) -> None:
    site = serve(give(film[: len(film) // 2], ranges=ranges))
    kind, message = refused(clips, Wanted(f"{site.url}/film.mp4", *span))
    assert (kind, message.endswith("seconds wanted came")) == ("download_failed", True)


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("span", [(None, None), (1.0, 9.0)])
def test_a_download_that_always_breaks_off_is_a_fault_of_the_network(
    clips: Clips, serve: Any, give: Any, film: bytes, span: Any, ranges: bool
) -> None:
    cut = give(film[: len(film) // 2], announced=len(film), ranges=False)
    if ranges:
        cut = give(film, announced=len(film) + 9)
    kind, told = refused(clips, Wanted(f"{serve(give(film), cut).url}/film.mp4", *span))
    assert kind == "network", told


def test_a_download_that_breaks_off_once_goes_on(
    clips: Clips, serve: Any, give: Any, film: bytes
) -> None:
    cut = give(film[: len(film) // 2], announced=len(film), ranges=False)
    site = serve(give(film), cut, give(film))
    assert clips.fetch(Wanted(f"{site.url}/film.mp4")).path.read_bytes() == film
    assert site.asked[2]["Range"].startswith("bytes=")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, "private"),
        (403, "download_failed"),
        (404, "removed"),
        (429, "bot_check"),
        (451, "geo_blocked"),
        (500, "network"),
    ],
)
def test_an_answer_tells_the_kind(
    clips: Clips, serve: Any, give: Any, film: bytes, status: int, kind: str
) -> None:
    url = f"{serve(give(status=status)).url}/film.mp4"
    found, message = refused(clips, Wanted(url))
    assert found == kind
    assert message.startswith(f"{url}: ")
    assert f"HTTP Error {status}" in message
    # The same where the page can be seen, and the clip cannot.
    for span in ((1.0, 2.0), (None, None)):
        url = f"{serve(give(film), give(status=status)).url}/film.mp4"
        assert refused(clips, Wanted(url, *span))[0] == kind


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/film.mp4", "http://nobody.invalid/film.mp4"])
def test_nobody_there_is_the_network(clips: Clips, url: str) -> None:
    kind, message = refused(clips, Wanted(url))
    assert kind == "network"
    assert message.startswith(f"{url}: ")
    assert "\n" not in message
    assert len(message) < 400


def test_a_page_without_a_clip_is_refused(clips: Clips, serve: Any, give: Any) -> None:
    url = f"{serve(give(b'<html>no film</html>', type='text/html')).url}/page"
    assert refused(clips, Wanted(url)) == ("download_failed", f"{url}: Unsupported URL: {url}")


def test_cookies_are_shown_and_left_as_they_are(
    tmp_path: Path, serve: Any, give: Any, film: bytes
) -> None:
    cookies = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tpass\tsecret\n"
    site = serve(give(film))
    store = Clips(tmp_path / "clips", Manners(0.0, 0.0, cookies))
    store.fetch(Wanted(f"{site.url}/film.mp4", 1.0, 2.0))
    assert [headers.get("Cookie") for headers in site.asked] == ["pass=secret"] * 2
    store.fetch(Wanted(f"{site.url}/film.mp4"))
    assert {headers.get("Cookie") for headers in site.asked} == {"pass=secret"}
    assert b"secret" not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
