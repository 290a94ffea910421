"""Sites that change a clip meanwhile, send without an end, or name this machine's files."""

from __future__ import annotations

import gc
import re
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pipeline.datasets.clips.clip_cache import ClipCache, ClipRequest
from tests.inputs.answers import reply

Span = tuple[float | None, float | None]
# Some seconds alone, and the whole.
spans = pytest.mark.parametrize("span", [(15.0, 18.0), (None, None)], ids=["pieces", "whole"])


@pytest.mark.parametrize("by", ["tag", "size"])
def test_a_file_that_changes_is_fetched_whole_and_versions_are_never_mixed(
    clips: ClipCache, serve: Any, give: Any, large_film: bytes, by: str
) -> None:
    versions = [
        give(large_film, tag=f'"v{n}"') if by == "tag" else give(large_film + bytes(n))
        for n in range(20)
    ]
    server = serve(*versions)
    clip = clips.fetch(ClipRequest(f"{server.url}/film.mp4", 15.0, 18.0))
    same = clips.fetch(ClipRequest(f"{serve(versions[0]).url}/film.mp4", 15.0, 18.0))
    assert clip.path.read_bytes() == same.path.read_bytes()
    assert "Range" not in server.asked[-1]


@spans
def test_a_clip_is_bounded_in_bytes(
    refused: Any, options: Any, serve: Any, give: Any, large_film: bytes, tmp_path: Path, span: Span
) -> None:
    url = f"{serve(give(large_film)).url}/film.mp4"
    small = ClipCache(tmp_path / "clips", options("--max-filesize 500000"))
    kind, message = refused(ClipRequest(url, *span), small)
    assert kind == "download_failed"
    # Of the whole, yt-dlp compares the length that the server states.
    reason = "sends" if span[0] else "did not arrive whole, or is larger"
    assert re.match(rf"{url}: {reason}.* than 500,000 bytes$", message)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Send bytes without an end, of a length that nobody states."""
    handler.send_response(200)
    handler.send_header("Content-Type", "video/mp4")
    handler.end_headers()
    handler.close_connection = True
    with suppress(OSError):
        while True:
            handler.wfile.write(bytes(1 << 16))
            time.sleep(0.01)


def test_a_file_without_an_end_is_cut_off(
    refused: Any, options: Any, serve: Any, tmp_path: Path
) -> None:
    url = f"{serve(endless).url}/film.mp4"
    few = ClipCache(tmp_path / "clips", options("--max-filesize 5000000"))
    message = f"{url}: sends more than 5,000,000 bytes"
    assert refused(ClipRequest(url), few) == ("download_failed", message)


def test_a_clip_is_bounded_in_time(
    refused: Any, clips: ClipCache, serve: Any, give: Any, film: bytes
) -> None:
    url = f"{serve(endless).url}/film.mp4"
    result = refused(ClipRequest(url), ClipCache(clips.folder, clips.options, longest=1.0))
    assert result == ("network", f"{url}: takes longer than 1 s")
    url = f"{serve(give(film)).url}/film.mp4"
    none = ClipCache(clips.folder, clips.options, longest=0.0)
    result = refused(ClipRequest(url, 1.0, 2.0), none)
    assert result == ("network", f"{url}: takes longer than 0 s")


@pytest.mark.parametrize("late", [False, True], ids=["page", "clip"])
@spans
def test_a_redirect_to_a_file_of_this_machine_is_not_followed(
    refused: Any, serve: Any, give: Any, film: bytes, tmp_path: Path, span: Span, late: bool
) -> None:
    (tmp_path / "film.mp4").write_bytes(film)
    moved = reply(302, Location=f"file://{tmp_path}/film.mp4")
    refused(ClipRequest(f"{serve(*[give(film)] * late, moved).url}/film.mp4", *span))


# yt-dlp leaves the file open that it gives up.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("type", "reason"),
    [
        ("application/x-mpegurl", "file:// URLs are disabled by default in yt-dlp"),
        ("video/mp4", "not a clip that FFmpeg can read (Invalid data found when processing input)"),
    ],
    ids=["playlist", "video"],
)
@spans
def test_a_playlist_cannot_name_files_of_this_machine(
    refused: Any,
    serve: Any,
    give: Any,
    film: bytes,
    tmp_path: Path,
    type: str,
    reason: str,
    span: Span,
) -> None:
    (tmp_path / "film.mp4").write_bytes(film)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{tmp_path}/film.mp4\n"
    site = serve(give(f"{playlist}#EXT-X-ENDLIST\n".encode(), type=type))
    kind, message = refused(ClipRequest(f"{site.url}/film.mp4", *span))
    gc.collect()
    assert kind == "download_failed"
    assert reason in message
