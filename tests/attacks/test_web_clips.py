"""Sites that change a clip meanwhile, send without an end, or name this machine's files."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.datasets.clips.clip_cache import ClipCache, ClipRequest
from pipeline.datasets.clips.failures import ClipError
from pipeline.datasets.clips.ranges import PIECE
from pipeline.datasets.clips.site import RequestPolicy, read_options

Answer = Callable[[BaseHTTPRequestHandler], None]
# Some seconds alone, and the whole.
SPANS = [(6.0, 9.0), (None, None)]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Ten seconds of noise as MP4, index first: several pieces long."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    random = np.random.default_rng(0)
    with av.open(f"file:{path}", "w", options={"movflags": "faststart"}) as container:
        options = {"g": "10", "threads": "1", "preset": "ultrafast"}
        stream = container.add_stream("libx264", rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(100):
            noise = random.integers(0, 255, (120, 160, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    assert len(data) > 2 * PIECE
    return data


def piece(data: bytes, tag: str = '"v1"') -> Answer:
    """Answer with the requested bytes of one version of a film."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        requested = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
        first, last = 0, len(data) - 1
        if requested:
            first, last = int(requested[1]), min(int(requested[2] or last), last)
        handler.send_response(206 if requested else 200)
        handler.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        handler.send_header("Content-Type", "video/mp4")
        handler.send_header("Content-Length", str(last - first + 1))
        handler.send_header("ETag", tag)
        handler.end_headers()
        with suppress(OSError):
            handler.wfile.write(data[first : last + 1])

    return answer


def page(data: bytes, type: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", type)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def cache(folder: Path, *, most: int = 4 << 30, seconds: float = 3600.0) -> ClipCache:
    options = {"retry_sleep_functions": {}, "max_filesize": most}
    policy = RequestPolicy(read_options(None, 0.0) | options, pause=0.0, longest=seconds)
    return ClipCache(folder / "clips", policy)


def refused(clips: ClipCache, request: ClipRequest) -> tuple[str, str]:
    with pytest.raises(ClipError) as caught:
        clips.fetch(request)
    assert not list(clips.folder.rglob("*.m*"))
    return caught.value.kind, str(caught.value)


def test_two_versions_are_never_mixed(tmp_path: Path, serve: Any, film: bytes) -> None:
    server = serve(piece(film), piece(film, '"v0"'), piece(film))
    clip = cache(tmp_path).fetch(ClipRequest(f"{server.url}/film.mp4", 6.0, 9.0))
    same = ClipRequest(f"{serve(piece(film)).url}/film.mp4", 6.0, 9.0)
    assert clip.path.read_bytes() == cache(tmp_path).fetch(same).path.read_bytes()
    ranges = [headers.get("Range") for headers in server.asked]
    assert ranges.count(f"bytes=0-{PIECE - 1}") == 2


@pytest.mark.parametrize("by", ["tag", "size"])
def test_a_file_that_goes_on_changing_is_refused(
    tmp_path: Path, serve: Any, film: bytes, by: str
) -> None:
    versions = [
        piece(film, f'"v{n}"') if by == "tag" else piece(film + bytes(n)) for n in range(20)
    ]
    url = f"{serve(*versions).url}/film.mp4"
    message = f"{url}: changed again while it was fetched"
    assert refused(cache(tmp_path), ClipRequest(url, 6.0, 9.0)) == ("download_failed", message)


@pytest.mark.parametrize("span", SPANS)
def test_a_clip_is_bounded_in_bytes(
    tmp_path: Path, serve: Any, film: bytes, span: tuple[float | None, float | None]
) -> None:
    url = f"{serve(piece(film)).url}/film.mp4"
    result = refused(cache(tmp_path, most=500_000), ClipRequest(url, *span))
    # yt-dlp compares the length that the server states.
    whole = f"{url}: did not arrive whole, or is larger than 500,000 bytes"
    message = f"{url}: sends more than 500,000 bytes" if span[0] else whole
    assert result == ("download_failed", message)


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


def test_a_file_without_an_end_is_cut_off(tmp_path: Path, serve: Any) -> None:
    url = f"{serve(endless).url}/film.mp4"
    result = refused(cache(tmp_path, most=10_000_000), ClipRequest(url))
    assert result == ("download_failed", f"{url}: sends more than 10,000,000 bytes")


def test_a_clip_is_bounded_in_time(tmp_path: Path, serve: Any, film: bytes) -> None:
    url = f"{serve(endless).url}/film.mp4"
    result = refused(cache(tmp_path, seconds=1.0), ClipRequest(url))
    assert result == ("network", f"{url}: takes longer than 1 s")
    url = f"{serve(piece(film)).url}/film.mp4"
    result = refused(cache(tmp_path, seconds=0.0), ClipRequest(url, 1.0, 2.0))
    assert result == ("network", f"{url}: takes longer than 0 s")


@pytest.mark.parametrize("late", [False, True], ids=["page", "clip"])
@pytest.mark.parametrize("span", SPANS)
def test_a_redirect_to_a_file_of_this_machine_is_not_followed(
    tmp_path: Path, serve: Any, film: bytes, span: Any, late: bool
) -> None:
    def moved(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "file:///etc/passwd")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    url = f"{serve(*[piece(film)] * late, moved).url}/film.mp4"
    kind, message = refused(cache(tmp_path), ClipRequest(url, *span))
    assert kind in ("download_failed", "network")
    assert message.startswith(f"{url}: ")


# yt-dlp leaves the file open that it gives up.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("type", "reason"),
    [
        ("application/x-mpegurl", "file:// URLs are disabled by default in yt-dlp"),
        ("video/mp4", "what came is no clip (Invalid data found when processing input)"),
    ],
    ids=["playlist", "video"],
)
@pytest.mark.parametrize("span", SPANS)
def test_a_playlist_cannot_name_files_of_this_machine(
    tmp_path: Path, serve: Any, film: bytes, type: str, reason: str, span: Any
) -> None:
    (tmp_path / "film.mp4").write_bytes(film)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{tmp_path}/film.mp4\n"
    site = serve(page(f"{playlist}#EXT-X-ENDLIST\n".encode(), type))
    kind, message = refused(cache(tmp_path / "cache"), ClipRequest(f"{site.url}/film.mp4", *span))
    gc.collect()
    assert kind == "download_failed"
    assert reason in message
