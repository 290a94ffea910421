"""A film, a site that gives it by pieces, and a clip of it that must not come."""

from __future__ import annotations

import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.datasets.clips.error import ClipError
from pipeline.datasets.clips.fetch import Wanted
from pipeline.datasets.clips.kept import Clips
from pipeline.datasets.clips.site import Manners

Answer = Callable[[BaseHTTPRequestHandler], None]


def made_film(path: Path) -> bytes:
    """Three seconds of MP4, index first."""
    with av.open(f"file:{path}", "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for seed in range(30):
            noise = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode(None))
    return path.read_bytes()


def piece(data: bytes, tag: str = '"v1"', send: int | None = None) -> Answer:
    """Answer with the bytes that are asked for, of one version of a film; `send` breaks off."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
        first, last = 0, len(data) - 1
        if asked:
            first, last = int(asked[1]), min(int(asked[2] or last), last)
        handler.send_response(206 if asked else 200)
        handler.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        handler.send_header("Content-Type", "video/mp4")
        handler.send_header("Content-Length", str(last - first + 1))
        handler.send_header("ETag", tag)
        handler.end_headers()
        handler.wfile.write(data[first : last + 1][:send])

    return answer


def refused(folder: Path, wanted: Wanted) -> tuple[str, str]:
    """Try to fetch a clip that must not come; returns kind and message."""
    with pytest.raises(ClipError) as caught:
        Clips(folder / "clips", Manners(0.0, 0.0)).fetch(wanted)
    assert not list((folder / "clips").rglob("*.m*"))
    return caught.value.kind, str(caught.value)
