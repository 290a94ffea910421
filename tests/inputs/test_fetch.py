"""Downloads, and wrong answers of servers: a file is whole and right, or absent."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from pipeline.inputs.fetch import ContentError
from tests.inputs.answers import BODY, CURE, OTHER, SHA256, Answer, assert_whole, names, reply, rest


@pytest.mark.parametrize("length", [len(BODY), None])
def test_a_file_is_fetched_and_verified(
    serve: Any, get: Any, path: Path, length: int | None
) -> None:
    site = serve(reply(200, BODY, Content_Length=length))
    assert get(f"{site.url}/f", sha256=SHA256, size=len(BODY)) == SHA256
    assert_whole(path)


@pytest.mark.parametrize("sha256", [SHA256, SHA256[:8], None])
def test_a_file_that_is_there_is_not_requested(
    serve: Any, get: Any, path: Path, sha256: str | None
) -> None:
    path.parent.mkdir()
    path.write_bytes(BODY)
    site = serve(rest)
    assert get(f"{site.url}/f", sha256=sha256) == SHA256
    assert site.asked == []


def test_a_file_with_another_digest_is_replaced(serve: Any, get: Any, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"bit rot")
    assert get(f"{serve(rest).url}/f", sha256=SHA256) == SHA256
    assert_whole(path)


def test_a_file_of_another_size_is_replaced(serve: Any, get: Any, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"of another version")
    assert get(f"{serve(rest).url}/f", size=len(BODY)) == SHA256
    assert_whole(path)


def test_an_error_passes_between_processes_whole() -> None:
    error = ContentError("http://h/f", "has 3 bytes", "look")
    error.add_note("a note")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.__dict__) == (ContentError, str(error), error.__dict__)


def test_a_full_disk_names_the_file(
    serve: Any, get: Any, path: Path, largest_file: Callable[[int], Any]
) -> None:
    with largest_file(4000), pytest.raises(OSError, match="File too large") as caught:
        get(f"{serve(rest).url}/f", sha256=SHA256)
    assert caught.value.filename == f"{path}.part"


def test_a_second_process_is_named(path: Path, message: Any) -> None:
    path.parent.mkdir()
    with FileLock(f"{path}.lock"):
        text = message("http://127.0.0.1/f")
    assert text == f"another process is fetching {path}; wait for it"


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Send chunks until the client closes the connection."""
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
    except OSError:
        handler.close_connection = True


NO_LENGTH = "the server gives no length: a cut file would look whole"


@pytest.mark.parametrize(
    ("answer", "options", "requests", "expected"),
    [
        (rest, {"size": len(BODY) - 1}, 1, "has 10,240 bytes, expected at most 10,239"),
        (rest, {"size": len(BODY) + 1}, 1, "has 10,240 bytes, expected 10,241"),
        (endless, {"size": 100_000}, 1, "sends more than 100,000 bytes"),
        (b"other", {"sha256": SHA256}, 1, f"sha256 is {OTHER}, expected {SHA256}"),
        (reply(200, BODY, Content_Length=None), {}, 1, NO_LENGTH),
        (reply(200, BODY, Content_Length="9" * 5000), {}, 1, NO_LENGTH),
        (reply(404), {}, 1, "the server answers 404 Not Found"),
        (reply(500), {}, 5, "the server answers 500 Internal Server Error"),
    ],
)
def test_a_wrong_answer_is_refused(
    serve: Any,
    message: Any,
    path: Path,
    answer: Answer | bytes,
    options: dict[str, Any],
    requests: int,
    expected: str,
) -> None:
    site = serve(answer)
    assert message(f"{site.url}/f", **options) == f"{expected}; {CURE}"
    assert len(site.asked) == requests
    assert names(path) == set()


# Servers that wait or do not exist


def test_retry_after_is_respected(serve: Any, get: Any) -> None:
    site = serve(reply(429, Retry_After="1"), BODY)
    started = time.monotonic()
    assert get(f"{site.url}/f") == SHA256
    assert time.monotonic() - started >= 1


def test_a_stalled_connection_is_given_up(
    serve: Any, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.inputs.fetch.TIMEOUT", (10.0, 0.2))

    def stall(handler: BaseHTTPRequestHandler) -> None:
        reply(200, BODY[:10], Content_Length=len(BODY))(handler)
        time.sleep(0.6)

    text = message(f"{serve(stall).url}/f")
    assert text == f"the answer ends early: timed out (tried 5 times); {CURE}"


def test_a_refused_connection_is_given_up(message: Any) -> None:
    text = message("http://127.0.0.1:9/f")  # a port that nothing uses any more
    assert text == f"no answer: [Errno 111] Connection refused; {CURE}"


@pytest.mark.parametrize(
    "url", ["no address", "ftp://example.org/f", "http://", "http://[::1", "http://a..b/f"]
)
def test_what_is_not_an_address_is_refused(message: Any, url: str) -> None:
    assert message(url).endswith(CURE)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://h/f", "http://[::1", "/f"])
def test_a_redirect_to_nowhere_is_refused(
    serve: Any, message: Any, path: Path, target: str
) -> None:
    message(f"{serve(reply(302, Location=target)).url}/f")
    assert names(path) == set()
