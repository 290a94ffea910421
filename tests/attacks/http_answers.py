"""Answers of servers that misbehave, and of one that does not, to compare with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pipeline.datasets.http.fetch_error import FetchError

Answer = Callable[[BaseHTTPRequestHandler], None]

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
