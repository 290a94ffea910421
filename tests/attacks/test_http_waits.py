"""Servers that ask to wait, stay silent, or are not there."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from http_answers import BODY, CURE, SHA256, assert_whole, reply, told

attack = pytest.mark.attack


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


@attack(
    "HTTP",
    "a length of 5,000 digits",
    f"{{url}}: the server tells no length: a cut file would look whole; {CURE}",
)
def test_a_length_without_an_end_is_none(serve: Any, get: Any, ends: str) -> None:
    site = serve(reply(200, BODY, Content_Length="9" * 5000))
    assert told(get, f"{site.url}/f", attempts=1) == ends.format(url=f"{site.url}/f")


@attack("HTTP", "404", f"{{url}}: the server answers 404 Not Found; {CURE}")
def test_what_will_not_pass_is_not_tried_again(serve: Any, get: Any, ends: str) -> None:
    site = serve(reply(404))
    assert told(get, f"{site.url}/f") == ends.format(url=f"{site.url}/f")
    assert len(site.asked) == 1


# Only where nothing is meant to come in time: a busy machine is slow to answer too.
SHORT = (10.0, 0.2)
NO_END = f"no end of the headers, or of a chunk, within {{seconds}} s (tried 2 times); {CURE}"


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


def endless(start: bytes, more: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """Go on with lines that no read comes back from, none of them late."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        with suppress(OSError):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + start)
            for _ in range(60):
                handler.wfile.write(more)
                time.sleep(0.05)

    return answer


@pytest.mark.parametrize(
    ("start", "more"),
    [
        pytest.param(start, more, id=tried, marks=attack("HTTP", tried, f"{{url}}: {NO_END}"))
        for tried, start, more in [
            ("headers that drip without an end", b"X-Long: ", b"x"),
            (
                "trailers without an end",
                b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
                b"A: b\r\n",
            ),
        ]
    ],
)
def test_what_never_ends_is_given_up(
    serve: Any, get: Any, start: bytes, more: bytes, ends: str
) -> None:
    site = serve(endless(start, more))
    found = told(get, f"{site.url}/f", attempts=2, timeout=(0.2, 0.2))
    assert found == ends.format(url=f"{site.url}/f", seconds="0.4")
    assert len(site.asked) == 2


@attack(
    "HTTP",
    "nobody at the address",
    f"{{url}}: cannot connect (Connection refused) (tried 2 times); {CURE}",
)
def test_nobody_there_is_told(serve: Any, get: Any, ends: str) -> None:
    url = "http://127.0.0.1:9/f"  # the port of a service that nobody runs any more
    assert told(get, url, attempts=2) == ends.format(url=url)
