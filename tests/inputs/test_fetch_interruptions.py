"""Downloads that end early: they continue where the bytes are of the same version."""

from __future__ import annotations

import hashlib
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.inputs.answers import BODY, CURE, SHA256, Answer, assert_whole, names, reply, rest

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
