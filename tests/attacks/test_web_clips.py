"""Sites that lead a clip's download astray, or hold it for ever."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest
from clip_answers import Answer, piece, refused

from pipeline.datasets.clips import allowance, ranged, site
from pipeline.datasets.clips.fetch import Wanted
from pipeline.datasets.clips.kept import Clips
from pipeline.datasets.clips.site import Manners
from pipeline.datasets.http import addresses

attack = pytest.mark.attack
# Some seconds alone, and the whole.
SPANS = [(1.0, 2.0), (None, None)]


def moved(target: str, endless: bool = False) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", str(1 << 50 if endless else 0))
        handler.end_headers()
        with suppress(OSError):
            while endless:
                handler.wfile.write(bytes(1 << 16))

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


@attack("Clips", "a redirect with an endless body", "the body is not read")
def test_the_body_of_a_redirect_is_not_read(tmp_path: Path, serve: Any, film: bytes) -> None:
    server = serve(moved("/film.mp4", endless=True), piece(film))
    fetched = Clips(tmp_path / "clips", Manners(0.0, 0.0)).fetch(Wanted(f"{server.url}/moved"))
    assert fetched.path.read_bytes() == film


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


@pytest.fixture
def dripping_handshake() -> Iterator[str]:
    """A server that goes on with an encryption's first record without an end; its address."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.sendall(bytes.fromhex("1603034000"))
                while True:
                    self.request.sendall(b"x")
                    time.sleep(0.01)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@attack("Clips", "encryption that drips without an end", "{url}: takes longer than {seconds} s")
def test_a_handshake_is_bounded_in_time(
    tmp_path: Path, dripping_handshake: str, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr(site, "LONGEST_FETCH", 1.0)
    # A record of TLS is at most 16 KiB: at this pace it is whole after minutes.
    url = f"{dripping_handshake}/film.mp4"
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


PAGE = b"<p>aaaaa" * (1 << 15)


@attack("Clips", "a page without an end", "{url}: a page of more than 8,388,608 bytes")
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_page_is_bounded(tmp_path: Path, serve: Any, packed: bool, ends: str) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        if packed:
            handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        packer = zlib.compressobj(1, wbits=31)
        handler.close_connection = True
        with suppress(OSError):
            # Without its limit a page would end here too, after 12 MiB.
            for _ in range(48):
                handler.wfile.write(packer.compress(PAGE) if packed else PAGE)

    url = f"{serve(endless).url}/watch"
    assert refused(tmp_path, Wanted(url)) == ("download_failed", ends.format(url=url))
