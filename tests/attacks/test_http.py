"""A server that lies, stalls or leads astray: each ends in a retry or in one line."""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pipeline.datasets import addresses
from pipeline.datasets import fetch as home
from pipeline.datasets.fetch import fetch
from pipeline.datasets.fetch_error import FetchError
from pipeline.datasets.pins import fetch_pinned

Answer = Callable[[BaseHTTPRequestHandler], None]
attack = pytest.mark.attack

BODY = bytes(range(256)) * 40
SHA256 = hashlib.sha256(BODY).hexdigest()
CURE = "check the network and the address, or give a local file instead"


def reply(status: int, body: bytes = b"", **headers: object) -> Answer:
    """Answer with these headers (`_` for `-`) and body; the length is the body's unless told."""
    fields = {"Content_Length": len(body), **headers}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in fields.items():
            if value is not None:
                handler.send_header(name.replace("_", "-"), str(value))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def rest(handler: BaseHTTPRequestHandler) -> None:
    """Answer as servers should: what the range asks for, if the version is still the same."""
    asked = handler.headers.get("Range")
    if asked is None or handler.headers.get("If-Range", '"v1"') != '"v1"':
        reply(200, BODY, ETag='"v1"')(handler)
        return
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    told = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
    reply(206, BODY[start:], Content_Range=told, ETag='"v1"')(handler)


CUT = reply(200, BODY[:4000], Content_Length=len(BODY), ETag='"v1"')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "downloads"


@pytest.fixture
def waits() -> list[float]:
    """How long the downloads waited, without waiting."""
    return []


@pytest.fixture
def get(folder: Path, waits: list[float]) -> Callable[..., str]:
    def run(url: str, **options: Any) -> str:
        options = {"timeout": (10.0, 10.0), "sleep": waits.append, **options}
        return fetch(url, folder / "file.bin", **options)

    return run


def told(get: Callable[..., str], url: str, **options: Any) -> str:
    with pytest.raises(FetchError) as caught:
        get(url, **options)
    return str(caught.value)


def names(folder: Path) -> set[str]:
    """What lies there, but for the lock of the process that fetches."""
    return {path.name for path in folder.iterdir()} - {"file.bin.lock"}


def assert_whole(folder: Path) -> None:
    assert (folder / "file.bin").read_bytes() == BODY
    assert names(folder) == {"file.bin"}


@attack("HTTP", "a body cut short, then the rest", "goes on where it broke off")
def test_a_cut_body_is_resumed(serve: Any, get: Any, folder: Path, waits: list[float]) -> None:
    site = serve(CUT, rest)
    assert get(f"{site.url}/f") == SHA256
    assert_whole(folder)
    assert site.asked[1]["Range"] == "bytes=4000-"
    assert site.asked[1]["If-Range"] == '"v1"'
    assert waits == [1.0]


@attack("HTTP", "200 to a request for the rest", "starts again from the first byte")
def test_a_server_without_ranges_is_asked_for_all(serve: Any, get: Any, folder: Path) -> None:
    site = serve(CUT, reply(200, BODY))
    assert get(f"{site.url}/f") == SHA256
    assert_whole(folder)


@attack("HTTP", "the rest of another range", "starts again from the first byte")
def test_another_range_is_not_put_behind(serve: Any, get: Any, folder: Path) -> None:
    wrong = reply(206, BODY[100:], Content_Range=f"bytes 100-{len(BODY) - 1}/{len(BODY)}")
    site = serve(CUT, wrong, rest)
    assert get(f"{site.url}/f") == SHA256
    assert_whole(folder)
    assert "Range" not in site.asked[2]


@attack("HTTP", "a part of the rest, called complete", "asks for what is still missing")
def test_a_short_rest_is_not_the_end(serve: Any, get: Any, folder: Path) -> None:
    told = f"bytes 4000-4999/{len(BODY)}"
    short = reply(206, BODY[4000:5000], Content_Range=told, ETag='"v1"')
    site = serve(CUT, short, rest)
    assert get(f"{site.url}/f") == SHA256
    assert site.asked[2]["Range"] == "bytes=5000-"
    assert_whole(folder)


@attack("HTTP", "416 to a request for the rest", "starts again from the first byte")
def test_an_error_page_is_not_put_behind(serve: Any, get: Any, folder: Path) -> None:
    site = serve(CUT, reply(416, b"x" * 300), rest)
    assert get(f"{site.url}/f") == SHA256
    assert "Range" not in site.asked[2]
    assert_whole(folder)


@attack("HTTP", "a rest of a file shorter than its beginning", "starts again from the first byte")
def test_a_file_shorter_than_its_part_is_not_whole(serve: Any, get: Any, folder: Path) -> None:
    site = serve(CUT, reply(206, b"x", Content_Range="bytes 4000-4000/100", ETag='"v1"'), rest)
    assert get(f"{site.url}/f") == SHA256
    assert "Range" not in site.asked[2]
    assert_whole(folder)


def test_a_part_that_is_already_complete_is_taken(serve: Any, get: Any, folder: Path) -> None:
    folder.mkdir()
    (folder / "file.bin.part").write_bytes(BODY)
    site = serve(reply(416, b"page", Content_Range=f"bytes */{len(BODY)}"))
    assert get(f"{site.url}/f", sha256=SHA256) == SHA256
    assert len(site.asked) == 1
    assert_whole(folder)


@attack("HTTP", "a new version while the old one is resumed", "starts again from the first byte")
def test_two_versions_are_never_mixed(serve: Any, get: Any, folder: Path) -> None:
    site = serve(reply(200, b"old" * 1000, Content_Length=len(BODY), ETag='"v0"'), rest)
    assert get(f"{site.url}/f") == SHA256
    assert_whole(folder)


@attack("HTTP", "no name for a version to resume", "starts again unless a digest is known")
def test_without_a_version_nothing_is_resumed(serve: Any, get: Any, folder: Path) -> None:
    site = serve(reply(200, BODY[:4000], Content_Length=len(BODY)), rest)
    assert get(f"{site.url}/f") == SHA256
    assert "Range" not in site.asked[1]
    assert_whole(folder)


@attack("HTTP", "wrong bytes before the break", "starts again once, and compares the digest")
def test_wrong_resumed_bytes_are_noticed(serve: Any, get: Any, folder: Path) -> None:
    site = serve(reply(200, b"x" * 4000, Content_Length=len(BODY), ETag='"v1"'), rest)
    assert get(f"{site.url}/f", sha256=SHA256) == SHA256
    assert len(site.asked) == 3
    assert_whole(folder)


def not_for_ever(waits: list[float]) -> Callable[[float], None]:
    def sleep(seconds: float) -> None:
        waits.append(seconds)
        assert len(waits) < 12, "asks without an end"

    return sleep


@attack("HTTP", "wrong bytes over a line that breaks", "starts again once, then tells the digest")
def test_wrong_bytes_on_a_flaky_line_come_to_an_end(
    serve: Any, get: Any, folder: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "HEADWAY", 1000)
    wrong = b"x" * len(BODY)
    cut = reply(200, wrong[:4000], Content_Length=len(BODY), ETag='"v1"')
    told_range = f"bytes 4000-{len(BODY) - 1}/{len(BODY)}"
    end = reply(206, wrong[4000:], Content_Range=told_range, ETag='"v1"')
    site = serve(*[cut, end] * 10)
    found = hashlib.sha256(wrong).hexdigest()
    message = told(get, f"{site.url}/f", sha256=SHA256, sleep=not_for_ever(waits))
    assert f"sha256 is {found}, expected {SHA256}" in message
    assert len(site.asked) == 4
    assert names(folder) == set()


@attack("HTTP", "a break, then 416, for ever", "counts as attempts in vain, and is given up")
def test_bytes_that_come_again_are_no_headway(
    serve: Any, get: Any, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "HEADWAY", 1000)
    site = serve(*[CUT, reply(416, b"page")] * 10)
    assert "(tried 5 times)" in told(get, f"{site.url}/f", sleep=not_for_ever(waits))
    assert len(site.asked) == 5


@attack(
    "HTTP",
    "a body that always stops early",
    f"{{url}}: the answer stops before its end (tried 3 times); {CURE}",
)
def test_a_body_that_always_stops_is_given_up(
    serve: Any, get: Any, folder: Path, ends: str
) -> None:
    site = serve(CUT, reply(206, b"", Content_Range="bytes 4000-10239/10240", Content_Length=6240))
    assert told(get, f"{site.url}/f", attempts=3) == ends.format(url=f"{site.url}/f")
    # What came is kept for the next run, under a name that nobody takes for the whole.
    assert names(folder) == {"file.bin.part", "file.bin.part.version"}


@attack("HTTP", "a wrong length", f"{{url}}: holds 10,240 bytes, expected 10,239; {CURE}")
def test_a_wrong_length_is_refused(serve: Any, get: Any, folder: Path, ends: str) -> None:
    site = serve(reply(200, BODY))
    assert told(get, f"{site.url}/f", size=len(BODY) - 1) == ends.format(url=f"{site.url}/f")
    assert names(folder) == set()


@attack(
    "HTTP", "more than the limit announced", f"{{url}}: holds 10,240 bytes, more than 9; {CURE}"
)
def test_a_body_over_the_limit_is_not_begun(serve: Any, get: Any, folder: Path, ends: str) -> None:
    site = serve(reply(200, BODY))
    assert told(get, f"{site.url}/f", limit=9) == ends.format(url=f"{site.url}/f")
    assert names(folder) == set()


def chunked(handler: BaseHTTPRequestHandler) -> None:
    """Send chunks without an end, as long as somebody listens."""
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
    except OSError:
        handler.close_connection = True


@attack("HTTP", "a body without length or end", f"{{url}}: sends more than 100,000 bytes; {CURE}")
def test_an_endless_body_is_cut_off(serve: Any, get: Any, folder: Path, ends: str) -> None:
    site = serve(chunked)
    assert told(get, f"{site.url}/f", limit=100_000) == ends.format(url=f"{site.url}/f")
    assert names(folder) == set()


@attack(
    "HTTP",
    "no length, so that a cut is not seen",
    f"{{url}}: the server tells no length: a cut file would look whole; {CURE}",
)
def test_a_length_or_a_digest_is_needed(serve: Any, get: Any, folder: Path, ends: str) -> None:
    site = serve(reply(200, BODY, Content_Length=None))
    assert told(get, f"{site.url}/f") == ends.format(url=f"{site.url}/f")
    assert get(f"{site.url}/f", sha256=SHA256) == SHA256


@attack("HTTP", "429 with Retry-After: 7", "waits 7 seconds and asks again")
def test_retry_after_is_honoured(serve: Any, get: Any, folder: Path, waits: list[float]) -> None:
    site = serve(reply(429, Retry_After="7"), reply(200, BODY))
    assert get(f"{site.url}/f") == SHA256
    assert waits == [7.0]
    assert_whole(folder)


@attack(
    "HTTP",
    "429 with Retry-After: 86400",
    "{url}: the server answers 429 Too Many Requests and asks to wait 86400 s; try again later",
)
def test_a_day_is_not_waited_for(serve: Any, get: Any, waits: list[float], ends: str) -> None:
    site = serve(reply(429, Retry_After="86400"))
    assert told(get, f"{site.url}/f") == ends.format(url=f"{site.url}/f")
    assert waits == []


@attack("HTTP", "500 three times, then well", "waits 1, 2 and 4 seconds, then takes the file")
def test_a_server_that_recovers_is_waited_for(
    serve: Any, get: Any, folder: Path, waits: list[float]
) -> None:
    site = serve(*[reply(500)] * 3, reply(200, BODY))
    assert get(f"{site.url}/f") == SHA256
    assert waits == [1.0, 2.0, 4.0]
    assert_whole(folder)


@attack(
    "HTTP",
    "500 for ever",
    f"{{url}}: the server answers 500 Internal Server Error (tried 5 times); {CURE}",
)
def test_a_server_that_stays_broken_is_given_up(serve: Any, get: Any, ends: str) -> None:
    site = serve(reply(500))
    assert told(get, f"{site.url}/f") == ends.format(url=f"{site.url}/f")
    assert len(site.asked) == 5


@attack("HTTP", "404", f"{{url}}: the server answers 404 Not Found; {CURE}")
def test_what_will_not_pass_is_not_tried_again(serve: Any, get: Any, ends: str) -> None:
    site = serve(reply(404))
    assert told(get, f"{site.url}/f") == ends.format(url=f"{site.url}/f")
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(
            "/f",
            marks=attack(
                "HTTP", "a redirect loop", f"{{url}}: redirects more than 5 times; {CURE}"
            ),
        ),
        *(
            pytest.param(
                target,
                marks=attack("HTTP", tried, f"{{url}}: redirects to '{target}'{why}; {CURE}"),
            )
            for tried, target, why in [
                (
                    "a redirect to file://",
                    "file:///etc/passwd",
                    "; only http and https are followed",
                ),
                ("a redirect to ftp://", "ftp://h/f", "; only http and https are followed"),
                ("a redirect to a private address", "http://10.0.0.1/f", ", a private address"),
                (
                    "a redirect to a private address in IPv6's words",
                    "http://[::ffff:192.168.0.1]/f",
                    ", a private address",
                ),
                (
                    "a redirect to where clouds keep credentials",
                    "http://169.254.169.254/latest/",
                    ", a reserved address",
                ),
                ("a redirect to nonsense", "http://[::1", ", which is no address"),
                (
                    "a redirect to a name that is too long",
                    f"http://{'x' * 64}.example/f",
                    ", which is no address",
                ),
                ("a redirect to a name with a gap", "http://a..b/f", ", which is no address"),
            ]
        ),
    ],
)
def test_a_redirect_is_not_followed(
    serve: Any, get: Any, folder: Path, target: str, ends: str
) -> None:
    site = serve(reply(302, Location=target))
    assert told(get, f"{site.url}/f") == ends.format(url=f"{site.url}/f")
    assert len(site.asked) == (6 if target == "/f" else 1)
    assert names(folder) == set()


@attack(
    "HTTP",
    "a public server's redirect to this machine",
    f"{{url}}: redirects to '{{target}}', a loopback address; {CURE}",
)
def test_a_public_server_cannot_lead_to_this_machine(
    serve: Any, get: Any, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    target = serve(reply(200, BODY))
    site = serve(reply(302, Location=f"{target.url.replace('127.0.0.1', 'localhost')}/f"))
    kind = addresses.address_kind
    public = {"127.0.0.1": "public"}
    monkeypatch.setattr(addresses, "address_kind", lambda host: public.get(host) or kind(host))
    location = f"{target.url.replace('127.0.0.1', 'localhost')}/f"
    assert told(get, f"{site.url}/f") == ends.format(url=f"{site.url}/f", target=location)
    assert target.asked == []


@attack("HTTP", "a redirect with an endless body", "the body is not read")
def test_the_body_of_a_redirect_is_not_read(serve: Any, get: Any) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        reply(302, Location="/f", Content_Length=1 << 40)(handler)
        time.sleep(0.3)

    site = serve(endless, reply(200, BODY))
    assert get(f"{site.url}/redirect") == SHA256
    assert site.paths == ["/redirect", "/f"]


def test_a_redirect_among_loopback_addresses_is_followed(
    serve: Any, get: Any, folder: Path
) -> None:
    target = serve(reply(200, BODY))
    site = serve(reply(302, Location=f"{target.url}/f"))
    assert get(f"{site.url}/f") == SHA256


@attack(
    "HTTP",
    "a redirect from https to http",
    f"{{url}}: redirects from https to 'http://example.org/f', which is not encrypted; {CURE}",
)
def test_encryption_is_not_given_up(ends: str) -> None:
    first = "https://example.org/f"
    with pytest.raises(FetchError) as caught:
        addresses.redirect_target(first, first, "http://example.org/f")
    assert str(caught.value) == ends.format(url=first)


# Only where nothing is meant to come in time: a busy machine is slow to answer too.
SHORT = (10.0, 0.2)


def stall(handler: BaseHTTPRequestHandler) -> None:
    """Begin and fall silent."""
    reply(200, BODY[:10], Content_Length=len(BODY))(handler)
    time.sleep(0.6)


@attack(
    "HTTP",
    "a connection that stalls",
    f"{{url}}: nothing came for {{timeout}} s (tried 2 times); {CURE}",
)
def test_a_stalled_connection_is_given_up(serve: Any, get: Any, ends: str) -> None:
    site = serve(stall)
    expected = ends.format(url=f"{site.url}/f", timeout="0.2")
    assert told(get, f"{site.url}/f", attempts=2, timeout=SHORT) == expected


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Send single bytes, none of them late."""
    reply(200, b"", Content_Length=len(BODY))(handler)
    try:
        for _ in range(20):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        handler.close_connection = True


@attack("HTTP", "single bytes, each in time", "counts as stalled below 1 KiB in one timeout")
def test_dripping_counts_as_stalled(serve: Any, get: Any) -> None:
    site = serve(drip)
    found = told(get, f"{site.url}/f", attempts=1, timeout=SHORT)
    assert " bytes came in 0.2 s (tried 1 times)" in found


@attack(
    "HTTP",
    "a gzip bomb as the answer's encoding",
    f"{{url}}: the answer is gzip-encoded, which was not asked for; {CURE}",
)
def test_an_answer_is_never_decoded(serve: Any, get: Any, folder: Path, ends: str) -> None:
    bomb = gzip.compress(bytes(10 << 20))
    site = serve(reply(200, bomb, Content_Encoding="gzip"))
    assert told(get, f"{site.url}/f") == ends.format(url=f"{site.url}/f")
    assert names(folder) == set()
    # The same header on a .gz file tells the file's own format: it is stored as it is.
    assert get(f"{site.url}/f.gz") == hashlib.sha256(bomb).hexdigest()


@attack(
    "HTTP",
    "other content under a published digest",
    f"{{url}}: sha256 is {{found}}, expected {{expected}}; {CURE}",
)
def test_other_content_is_refused(serve: Any, get: Any, folder: Path, ends: str) -> None:
    site = serve(reply(200, b"other"))
    found = hashlib.sha256(b"other").hexdigest()
    expected = ends.format(url=f"{site.url}/f", found=found, expected=SHA256)
    assert told(get, f"{site.url}/f", sha256=SHA256) == expected
    assert names(folder) == set()


@attack(
    "HTTP",
    "content that changed since it was fetched first",
    "{url}: sha256 is {found}, expected {expected}; if the file was replaced by its authors, "
    "remove its entry from downloads.lock.json",
)
def test_changed_content_is_refused(
    serve: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ends: str
) -> None:
    monkeypatch.chdir(tmp_path)
    site = serve(reply(200, BODY), reply(200, b"other"))
    fetch_pinned(f"{site.url}/f", folder / "first")
    with pytest.raises(FetchError) as caught:
        fetch_pinned(f"{site.url}/f", folder / "second")
    found = hashlib.sha256(b"other").hexdigest()
    assert str(caught.value) == ends.format(url=f"{site.url}/f", found=found, expected=SHA256)
    assert not (folder / "second").exists()


@attack(
    "HTTP",
    "nobody at the address",
    f"{{url}}: cannot connect (Connection refused) (tried 2 times); {CURE}",
)
def test_nobody_there_is_told(serve: Any, get: Any, ends: str) -> None:
    url = "http://127.0.0.1:9/f"  # the port of a service that nobody runs any more
    assert told(get, url, attempts=2) == ends.format(url=url)
