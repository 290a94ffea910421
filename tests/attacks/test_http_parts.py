"""Downloads that break off, and servers that go on with something else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from http_answers import BODY, CURE, CUT, SHA256, assert_whole, names, reply, rest, told

from pipeline.datasets.http import fetch as home

attack = pytest.mark.attack


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
