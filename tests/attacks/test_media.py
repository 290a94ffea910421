"""Clips and photos that are something else, or larger than they look."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import ImageFile

from pipeline.media import MediaError, container, read_photo, read_waveform, sample_frames

# Each names `{target}`, a real clip here and on a server, so that following it would succeed.
SCRIPTS = {
    "a playlist": (
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
        "Invalid data found when processing input",
    ),
    "a concat script": ("ffconcat version 1.0\nfile '{target}'\n", "Invalid argument"),
    "a DASH manifest": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
        '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>'
        "{target}</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "Invalid data found when processing input",
    ),
    "a session description": (
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns={target}\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "Invalid argument",
    ),
}


def write_film(path: Path, size: tuple[int, int] = (64, 48)) -> Path:
    with av.open(f"file:{path}", "w") as film:
        stream = film.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for k in range(10):
            grey = np.full((*size[::-1], 3), 20 * k, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        film.mux(stream.encode(None))
    return path


def answer(data: bytes, type: str = "video/mp4") -> Callable[[BaseHTTPRequestHandler], None]:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", type)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return send


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return write_film(tmp_path / "target.mp4")


@pytest.mark.parametrize(("script", "reason"), SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_is_not_a_clip(
    tmp_path: Path, target: Path, serve: Any, script: str, reason: str
) -> None:
    site = serve(answer(target.read_bytes()))
    clip = tmp_path / "clip.mp4"
    for place in (f"file://{target}", str(target), target.name, f"{site.url}/film.mp4"):
        clip.write_text(script.format(target=place))
        for read in (sample_frames, read_waveform):
            with pytest.raises(MediaError) as caught:
                read(clip)
            assert caught.value.kind == "decode_failed"
            assert str(caught.value) == f"{clip}: not a readable video or audio file ({reason})"
    assert site.asked == []


DRAWINGS = {
    "an SVG that names a file": (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink">'
        '<image x:href="file:///etc/passwd"/></svg>'
    ),
    "PostScript that opens a file": (
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n"
    ),
}


@pytest.mark.parametrize("drawing", DRAWINGS.values(), ids=DRAWINGS)
def test_a_drawing_is_not_a_photo(tmp_path: Path, drawing: str) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_text(drawing)
    with pytest.raises(MediaError) as caught:
        read_photo(photo)
    assert caught.value.kind == "not_an_image"
    assert str(caught.value) == (
        f"{photo}: not a readable JPEG, PNG, GIF, WEBP, AVIF, TIFF, BMP picture"
    )


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body)


def test_a_huge_photo_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it was decoded"))
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(50_000, 50_000))
    with pytest.raises(MediaError) as caught:
        read_photo(photo)
    assert caught.value.kind == "too_large"
    assert str(caught.value) == f"{photo}: more than 89478485 pixels; make it smaller"


def test_huge_frames_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_PIXELS", 4000)
    clip = write_film(tmp_path / "clip.mp4", (80, 60))
    with pytest.raises(MediaError) as caught:
        sample_frames(clip)
    assert caught.value.kind == "too_large"
    assert str(caught.value) == f"{clip}: pictures of more than 4000 pixels; make it smaller"


def test_frames_that_grow_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = tmp_path / "clip.ts"
    parts = [write_film(tmp_path / f"{size[0]}.ts", size) for size in ((64, 48), (80, 60))]
    clip.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert len(np.unique(sample_frames(clip, 20).times)) == 20
    monkeypatch.setattr(container, "MAX_PIXELS", 4000)
    sampled = sample_frames(clip, 20)
    assert sampled.truncated
    assert sampled.frames.shape[1:] == (48, 64, 3)
    assert len(np.unique(sampled.times)) == 10
