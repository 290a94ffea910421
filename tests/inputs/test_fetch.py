"""Downloads, and what servers do wrong: a file is whole and right, or absent."""

from __future__ import annotations

import hashlib
import pickle
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from pipeline.inputs.fetch import ContentError, FetchError, fetch

Answer = Callable[[BaseHTTPRequestHandler], None]

BODY = bytes(range(256)) * 40
SHA256 = hashlib.sha256(BODY).hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()
CURE = "check the network and the address, or give a local file instead"


def reply(status: int, body: bytes = b"", **headers: object) -> Answer:
    """Answer with these headers (`_` for `-`) and body; the length is the body's by default."""
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
    """Answer as servers should: the range requested, if the version is still the same."""
    requested = handler.headers.get("Range")
    if requested is None or handler.headers.get("If-Range", '"v1"') != '"v1"':
        reply(200, BODY, ETag='"v1"')(handler)
        return
    start = int(requested.removeprefix("bytes=").removesuffix("-"))
    content_range = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
    reply(206, BODY[start:], Content_Range=content_range, ETag='"v1"')(handler)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "file.bin"


@pytest.fixture
def get(path: Path) -> Callable[..., str]:
    """Fetch to `path`, without waiting between attempts."""

    def run(url: str, **options: Any) -> str:
        options = {"sha256": None, "backoff": 0.0, **options}
        return fetch(url, path, **options)

    return run


@pytest.fixture
def message(get: Callable[..., str]) -> Callable[..., str]:
    """Fetch, which must fail, and return the message without its address."""

    def run(url: str, **options: Any) -> str:
        with pytest.raises(FetchError) as caught:
            get(url, **options)
        return str(caught.value).removeprefix(f"{url}: ")

    return run


def names(path: Path) -> set[str]:
    """What lies beside the file, except for the lock."""
    return {file.name for file in path.parent.iterdir()} - {f"{path.name}.lock"}


def assert_whole(path: Path) -> None:
    assert path.read_bytes() == BODY
    assert names(path) == {path.name}


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


# Interruptions

RANGE = "bytes=4000-"
END = f"{len(BODY) - 1}/{len(BODY)}"


def cut(body: bytes, **headers: object) -> Answer:
    """Announce the whole file and end early."""
    return reply(200, body, Content_Length=len(BODY), **headers)


CUT = cut(BODY[:4000], ETag='"v1"')


@pytest.mark.parametrize(
    ("answers", "ranges"),
    [
        ([CUT, rest], [None, RANGE]),
        ([CUT, BODY], [None, RANGE]),
        # Another range, a piece of the rest, an error page, a file shorter than its beginning.
        (
            [CUT, reply(206, BODY[100:], Content_Range=f"bytes 100-{END}"), rest],
            [None, RANGE, None],
        ),
        (
            [CUT, reply(206, BODY[4000:5000], Content_Range=f"bytes 4000-4999/{len(BODY)}"), rest],
            [None, RANGE, "bytes=5000-"],
        ),
        ([CUT, reply(416, b"x" * 300), rest], [None, RANGE, None]),
        (
            [CUT, reply(206, b"x", Content_Range="bytes 4000-4000/100"), rest],
            [None, RANGE, None],
        ),
        # Another version; no version.
        ([cut(b"old" * 1000, ETag='"v0"'), rest], [None, "bytes=3000-"]),
        ([cut(BODY[:4000]), rest], [None, None]),
        ([*[reply(500)] * 3, BODY], [None] * 4),
    ],
)
def test_an_interrupted_file_becomes_whole(
    serve: Any, get: Any, path: Path, answers: list[Answer | bytes], ranges: list[str | None]
) -> None:
    site = serve(*answers)
    assert get(f"{site.url}/f") == SHA256
    assert_whole(path)
    assert [headers.get("Range") for headers in site.asked] == ranges


@pytest.mark.parametrize(
    ("partial", "answer", "sha256", "requested"),
    [
        (BODY[:1000], rest, SHA256, "bytes=1000-"),
        (BODY, reply(416, b"page", Content_Range=f"bytes */{len(BODY)}"), SHA256, "bytes=10240-"),
        # Without a digest nothing would tell whether the bytes are of the same version.
        (b"old" * 5000, rest, None, None),
    ],
)
def test_what_a_killed_process_left_is_continued_if_the_digest_is_known(
    serve: Any,
    get: Any,
    path: Path,
    partial: bytes,
    answer: Answer,
    sha256: str | None,
    requested: str | None,
) -> None:
    path.parent.mkdir()
    path.with_name("file.bin.part").write_bytes(partial)
    site = serve(answer)
    assert get(f"{site.url}/f", sha256=sha256) == SHA256
    assert [headers.get("Range") for headers in site.asked] == [requested]
    assert_whole(path)


def test_wrong_bytes_before_an_interruption_are_fetched_again(
    serve: Any, get: Any, path: Path
) -> None:
    site = serve(cut(b"x" * 4000, ETag='"v1"'), rest)
    assert get(f"{site.url}/f", sha256=SHA256) == SHA256
    assert len(site.asked) == 3
    assert_whole(path)


def test_wrong_bytes_are_fetched_again_once(serve: Any, message: Any, path: Path) -> None:
    wrong = b"x" * len(BODY)
    end = reply(206, wrong[4000:], Content_Range=f"bytes 4000-{END}", ETag='"v1"')
    site = serve(*[cut(wrong[:4000], ETag='"v1"'), end] * 10)
    text = message(f"{site.url}/f", sha256=SHA256)
    assert text == f"sha256 is {hashlib.sha256(wrong).hexdigest()}, expected {SHA256}; {CURE}"
    assert len(site.asked) == 4
    assert names(path) == set()


def test_a_body_that_always_stops_is_given_up(serve: Any, message: Any, path: Path) -> None:
    site = serve(CUT, reply(206, b"", Content_Range="bytes 4000-10239/10240", Content_Length=6240))
    text = message(f"{site.url}/f")
    assert "ends early" in text
    assert "(tried 5 times)" in text
    # What came stays for the next run, under a name that nobody takes for the whole.
    assert names(path) == {"file.bin.part"}


def test_bytes_that_come_again_are_not_progress(serve: Any, message: Any) -> None:
    large = reply(200, bytes(2 << 20), Content_Length=4 << 20, ETag='"v1"')
    site = serve(*[large, reply(416, b"page")] * 10)
    assert "(tried 5 times)" in message(f"{site.url}/f")
    assert len(site.asked) == 5


def test_progress_renews_the_attempts(serve: Any, get: Any) -> None:
    body = bytes(7 << 20)

    def piece(handler: BaseHTTPRequestHandler) -> None:
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        content_range = f"bytes {start}-{len(body) - 1}/{len(body)}"
        headers = {"Content_Length": len(body) - start, "ETag": '"v1"'}
        if start:
            headers["Content_Range"] = content_range
        reply(206 if start else 200, body[start : start + (1 << 20)], **headers)(handler)

    site = serve(piece)
    assert get(f"{site.url}/f") == hashlib.sha256(body).hexdigest()
    assert len(site.asked) == 7


# Content and statuses


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


def test_a_stalled_connection_is_given_up(serve: Any, message: Any) -> None:
    def stall(handler: BaseHTTPRequestHandler) -> None:
        reply(200, BODY[:10], Content_Length=len(BODY))(handler)
        time.sleep(0.6)

    text = message(f"{serve(stall).url}/f", timeout=(10.0, 0.2))
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
