"""Answers of another length, encoding or content than was agreed."""

from __future__ import annotations

import gzip
import hashlib
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from http_answers import BODY, CURE, SHA256, names, reply, told

from pipeline.datasets.http.fetch_error import FetchError
from pipeline.datasets.http.pins import fetch_pinned

attack = pytest.mark.attack


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
