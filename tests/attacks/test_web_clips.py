"""Sites that lead a clip's download astray, hold it for ever, or change under it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.datasets import addresses, allowance, ranged, site
from pipeline.datasets.clip_error import ClipError
from pipeline.datasets.clip_fetch import Wanted
from pipeline.datasets.clips import Clips
from pipeline.datasets.site import Manners

Answer = Callable[[BaseHTTPRequestHandler], None]
attack = pytest.mark.attack
# Some seconds alone, and the whole.
SPANS = [(1.0, 2.0), (None, None)]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Three seconds of MP4, index first."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(f"file:{path}", "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for seed in range(30):
            noise = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode(None))
    return path.read_bytes()


def piece(data: bytes, tag: str = '"v1"', send: int | None = None) -> Answer:
    """Answer with the bytes that are asked for, of one version of a film; `send` breaks off."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
        first, last = 0, len(data) - 1
        if asked:
            first, last = int(asked[1]), min(int(asked[2] or last), last)
        handler.send_response(206 if asked else 200)
        handler.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        handler.send_header("Content-Type", "video/mp4")
        handler.send_header("Content-Length", str(last - first + 1))
        handler.send_header("ETag", tag)
        handler.end_headers()
        handler.wfile.write(data[first : last + 1][:send])

    return answer


def moved(target: str, length: int = 0) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", str(length))
        handler.end_headers()

    return answer


def drip(*, headers: bool, meanwhile: Callable[[], None] = lambda: None) -> Answer:
    """Send single bytes of a header or of a body, none of them late, as long as one listens."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", ""))
        handler.send_response(206 if asked else 200)
        if asked:
            handler.send_header("Content-Range", f"bytes {asked[1]}-{asked[2]}/{1 << 40}")
        handler.send_header("Content-Type", "video/mp4")
        if not headers:
            handler.send_header("Content-Length", str(1 << 20))
        handler.flush_headers()
        try:
            handler.wfile.write(b"X-Long: " if headers else b"\r\n")
            while True:
                handler.wfile.write(b"x")
                meanwhile()
                time.sleep(0.01)
        except OSError:
            handler.close_connection = True

    return answer


def refused(folder: Path, wanted: Wanted) -> tuple[str, str]:
    """Try to fetch a clip that must not come; returns kind and message."""
    with pytest.raises(ClipError) as caught:
        Clips(folder / "clips", Manners(0.0, 0.0)).fetch(wanted)
    assert not list((folder / "clips").rglob("*.m*"))
    return caught.value.kind, str(caught.value)


@pytest.mark.parametrize("late", [False, True], ids=["page", "clip"])
@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize(
    "target",
    [
        pytest.param(target, marks=attack("Clips", tried, f"{{url}}: redirects to '{target}'{why}"))
        for tried, target, why in [
            ("a redirect to file://", "file:///etc/passwd", "; only http and https are followed"),
            ("a redirect to a private address", "http://10.0.0.1/f", ", a private address"),
            (
                "a redirect to where clouds keep credentials",
                "http://169.254.169.254/latest/",
                ", a reserved address",
            ),
        ]
    ],
)
def test_a_redirect_is_not_followed(
    tmp_path: Path, serve: Any, film: bytes, target: str, span: Any, late: bool, ends: str
) -> None:
    server = serve(*[piece(film)] * late, moved(target))
    url = f"{server.url}/film.mp4"
    assert refused(tmp_path, Wanted(url, *span)) == ("download_failed", ends.format(url=url))


@attack("Clips", "a redirect loop", "followed 5 times")
def test_a_redirect_loop_comes_to_an_end(tmp_path: Path, serve: Any) -> None:
    server = serve(moved("/film.mp4"))
    kind, told = refused(tmp_path, Wanted(f"{server.url}/film.mp4"))
    assert (kind, "redirect loop detected" in told) == ("download_failed", True)
    assert len(server.asked) == 6


@attack(
    "Clips",
    "a public page of which the clip lies on this machine",
    "{url}: leads to localhost, a loopback address",
)
def test_a_page_cannot_lead_to_this_machine(
    tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    target = serve(piece(b""))
    within = f"{target.url.replace('127.0.0.1', 'localhost')}/film.mp4"
    html = f'<html><video><source src="{within}" type="video/mp4"></video></html>'.encode()
    kind = addresses.address_kind
    public = {"127.0.0.1": "public"}
    monkeypatch.setattr(addresses, "address_kind", lambda host: public.get(host) or kind(host))

    def page(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", str(len(html)))
        handler.end_headers()
        handler.wfile.write(html)

    for span in SPANS:
        url = f"{serve(page).url}/watch"
        assert refused(tmp_path, Wanted(url, *span)) == ("download_failed", ends.format(url=url))
    assert target.asked == []


@pytest.mark.parametrize("span", SPANS)
@attack("Clips", "more bytes than one clip may have", "{url}: sends more than {most} bytes")
def test_a_clip_is_bounded_in_bytes(
    tmp_path: Path, serve: Any, film: bytes, span: Any, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr(site, "LIMIT", 5000)
    monkeypatch.setattr(ranged, "PIECE", 1000)
    assert len(film) > 6000
    url = f"{serve(piece(film)).url}/film.mp4"
    kind, told = refused(tmp_path, Wanted(url, *span))
    assert kind == "download_failed"
    # Of a whole file the length that the server tells is enough.
    assert told == (
        ends.format(url=url, most="5,000") if span[0] else f"{url}: did not arrive whole"
    )


@attack("Clips", "headers that drip without an end", "{url}: takes longer than {seconds} s")
@pytest.mark.parametrize("late", [False, True], ids=["page", "clip"])
def test_a_clip_is_bounded_in_time(
    tmp_path: Path,
    serve: Any,
    film: bytes,
    monkeypatch: pytest.MonkeyPatch,
    late: bool,
    ends: str,
) -> None:
    monkeypatch.setattr(site, "LONGEST_FETCH", 1.0)
    url = f"{serve(*[piece(film)] * late, drip(headers=True)).url}/film.mp4"
    found = refused(tmp_path, Wanted(url, 1.0, 2.0))
    assert found == ("network", ends.format(url=url, seconds=1))


@attack(
    "Clips",
    "single bytes, each in time",
    "counts as stalled below 1 KiB in one timeout, and is asked for again 4 times",
)
@pytest.mark.parametrize("span", SPANS)
def test_a_clip_that_drips_counts_as_stalled(
    tmp_path: Path, serve: Any, film: bytes, monkeypatch: pytest.MonkeyPatch, span: Any
) -> None:
    now = [0.0]

    def later() -> None:
        now[0] += 7.0

    monkeypatch.setattr(allowance, "monotonic", lambda: now[0])
    server = serve(piece(film), drip(headers=False, meanwhile=later))
    kind, told = refused(tmp_path, Wanted(f"{server.url}/film.mp4", *span))
    assert kind == "network"
    assert re.search(r"only \d+ bytes came in 30 s", told)
    # yt-dlp counts what comes after the first attempt.
    assert len(server.asked) == 1 + site.ATTEMPTS + (span[0] is None)


@attack("Clips", "a page without an end", "{url}: sends more than {most} bytes")
def test_a_page_is_bounded(
    tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr(site, "LIMIT", 1 << 20)

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"<p>" * 10_000)
        except OSError:
            handler.close_connection = True

    url = f"{serve(endless).url}/watch"
    told = ends.format(url=url, most=f"{1 << 20:,}")
    assert refused(tmp_path, Wanted(url)) == ("download_failed", told)


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
