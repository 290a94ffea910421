"""What sites say, raised inside yt-dlp as its extractors do, and the kind that it becomes."""

from __future__ import annotations

import errno
import gc
import pickle
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from yt_dlp import YoutubeDL
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.networking.exceptions import ProxyError, TransportError
from yt_dlp.utils import ExtractorError

from pipeline.datasets.clips.failures import ClipError, isolate_errors
from pipeline.datasets.clips.site import Site, read_options

URL = "https://film.test/watch"
# YouTube's reasons for an unplayable video, to which yt-dlp adds its own advice.
REASONS = [
    (
        "bot_check",
        "Sign in to confirm you\u2019re not a bot. Use --cookies-from-browser or --cookies for the "
        "authentication",
    ),
    ("bot_check", "Video unavailable. YouTube is requiring a captcha challenge before playback"),
    (
        "bot_check",
        "Video unavailable. This content isn't available, try again later. The current session has "
        "been rate-limited by YouTube for up to an hour",
    ),
    (
        "private",
        "Private video. Sign in if you've been granted access to this video. Use "
        "--cookies-from-browser or --cookies for the authentication",
    ),
    ("private", "Sign in to confirm your age. This video may be inappropriate for some users."),
    ("private", "This video is private"),
    ("private", "Join this channel to get access to members-only content like this video"),
    ("removed", "Video unavailable"),
    ("removed", "Video unavailable. This video has been removed by the uploader"),
    ("removed", "This video has been removed for violating YouTube's Terms of Service"),
    (
        "removed",
        "Video unavailable. This video is no longer available because the YouTube account "
        "associated with this video has been terminated.",
    ),
    ("removed", "This video is not available"),
    (
        "geo_blocked",
        "Video unavailable. The uploader has not made this video available in your country",
    ),
    ("geo_blocked", "This video contains content from X, who has blocked it in your country"),
    ("download_failed", "This live event will begin in 3 hours."),
]


def raised(act: Callable[[InfoExtractor], Any]) -> ClipError:
    """Let an extractor of its own site act inside yt-dlp, and sort what comes out."""

    class FilmIE(InfoExtractor):
        _VALID_URL = r"https://film\.test/watch"

        def _real_extract(self, url: str) -> Any:
            return act(self)

    with YoutubeDL(read_options(None, 0.0), auto_init=False) as client:
        client.add_info_extractor(FilmIE())
        with pytest.raises(ClipError) as caught, isolate_errors(URL):
            client.extract_info(URL, download=False)
    return caught.value


@pytest.mark.parametrize(("kind", "reason"), REASONS)
def test_a_reason_has_its_kind(kind: str, reason: str) -> None:
    def act(site: InfoExtractor) -> None:
        site.raise_no_formats(reason, expected=True, video_id="abc")

    error = raised(act)
    assert (error.kind, str(error)) == (kind, f"{URL}: [Film] abc: {reason}")


def test_a_restriction_that_an_extractor_knows_is_geo_blocked() -> None:
    error = raised(lambda site: site.raise_geo_restricted(countries=["TR"]))
    assert error.kind == "geo_blocked"
    assert "This video is available in T" in str(error)


def test_a_login_that_an_extractor_asks_for_is_private() -> None:
    assert raised(lambda site: site.raise_login_required()).kind == "private"


@pytest.mark.parametrize("fault", [TransportError("The read operation timed out"), ProxyError()])
def test_a_fault_on_the_way_is_the_network(fault: Exception) -> None:
    def act(site: InfoExtractor) -> None:
        try:
            raise fault
        except TransportError as error:
            raise ExtractorError("Unable to download API page", cause=error) from error

    error = raised(act)
    assert (error.kind, str(error)) == ("network", f"{URL}: [Film] Unable to download API page")


def test_a_fault_of_yt_dlp_itself_is_one_short_line() -> None:
    def act(site: InfoExtractor) -> None:
        raise ExtractorError("Failed to parse\n" + "x" * 1000)

    error = raised(act)
    assert error.kind == "download_failed"
    assert str(error).startswith(f"{URL}: [Film] Failed to parse xxx")
    assert len(str(error)) == len(URL) + 2 + 300


def test_a_site_without_a_small_file_is_named_so() -> None:
    error = raised(lambda site: {"id": "x", "title": "x", "url": URL, "ext": "mp4", "height": 720})
    assert error.kind == "download_failed"
    assert str(error) == f"{URL}: no file of at most 480 lines in a format that can be fetched"


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
def test_whatever_a_library_raises_costs_one_clip(fault: Exception) -> None:
    with pytest.raises(ClipError) as caught, isolate_errors(URL):
        raise fault
    assert caught.value.kind == "download_failed"
    assert str(caught.value).startswith(f"{URL}: {type(fault).__name__}: ")
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_no_fault_of_the_clip() -> None:
    with pytest.raises(OSError, match="No space left"), isolate_errors(URL):
        raise OSError(errno.ENOSPC, "No space left on device")


# yt-dlp leaves the file open that it cannot write.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux's device for a full disk")
@pytest.mark.parametrize("name", ["film.mp4", "film.m3u8"])
def test_a_disk_that_fills_up_during_a_download_ends_the_run(
    serve: Any, give: Any, film: bytes, tmp_path: Path, name: str
) -> None:
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfilm.mp4\n#EXT-X-ENDLIST\n"
    answers = {
        "/film.mp4": give(film),
        "/film.m3u8": give(playlist, type="application/vnd.apple.mpegurl"),
    }
    url = f"{serve(lambda handler: answers[handler.path](handler)).url}/{name}"
    with Site(url, tmp_path, read_options(None, 0.0), 60.0) as site:
        info = site.look_up()
        (tmp_path / f"{info['format_id']}.{info['ext']}.part").symlink_to("/dev/full")
        with pytest.raises(OSError, match="No space left"), isolate_errors(url):
            site.download(info)
    gc.collect()


def test_an_error_passes_between_processes_whole() -> None:
    error = pickle.loads(pickle.dumps(ClipError("removed", f"{URL}: is gone")))
    assert (error.kind, str(error)) == ("removed", f"{URL}: is gone")
