"""What servers answer, and what a fetch leaves: shared by the tests of downloads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

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


def names(path: Path) -> set[str]:
    """What lies beside the file, except for the lock."""
    return {file.name for file in path.parent.iterdir()} - {f"{path.name}.lock"}


def assert_whole(path: Path) -> None:
    assert path.read_bytes() == BODY
    assert names(path) == {path.name}
