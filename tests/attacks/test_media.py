"""Clips and photos that are something else, or larger than they look."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import ImageFile

from pipeline.media import MediaError, read_photo, read_waveform, sample_frames

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


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target.mp4"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        film.mux([*stream.encode(av.VideoFrame(64, 48, "yuv420p")), *stream.encode(None)])
    return path


@pytest.mark.parametrize(("script", "reason"), SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_is_not_a_clip(
    tmp_path: Path, target: Path, serve: Any, script: str, reason: str
) -> None:
    site = serve(target.read_bytes())
    clip = tmp_path / "clip.mp4"
    for place in (f"file://{target}", str(target), target.name, f"{site.url}/film.mp4"):
        clip.write_text(script.format(target=place))
        for read in (sample_frames, read_waveform):
            with pytest.raises(MediaError) as caught:
                read(clip)
            assert caught.value.kind == "decode_failed"
            message = (
                f"{clip}: not a readable video or audio file ({reason}); convert it to one of "
            )
            assert str(caught.value).startswith(message)
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
        f"{photo}: not a readable JPEG, PNG, GIF, WEBP, AVIF, HEIF, TIFF, BMP picture"
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


def test_a_clip_that_states_huge_frames_is_not_decoded(tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    with av.open(str(clip), "w") as film:
        stream = film.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        film.mux([*stream.encode(av.VideoFrame(64, 48, "bgr0")), *stream.encode(None)])
    small, huge = struct.pack("<ii", 64, 48), struct.pack("<ii", 10_000, 10_000)
    assert len(sample_frames(clip, 1).frames) == 1
    clip.write_bytes(clip.read_bytes().replace(small, huge))
    with pytest.raises(MediaError) as caught:
        sample_frames(clip)
    assert caught.value.kind == "too_large"
    assert str(caught.value) == f"{clip}: pictures of more than 89478485 pixels; make it smaller"


def test_frames_that_grow_are_not_decoded(tmp_path: Path) -> None:
    clip, count = tmp_path / "clip.mkv", 10
    with av.open(str(clip), "w") as film:
        stream = film.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for _ in range(count):
            film.mux(stream.encode(av.VideoFrame(64, 48, "yuvj420p")))
        huge = av.CodecContext.create("mjpeg", "w")
        huge.width, huge.height, huge.pix_fmt = 9500, 9500, "yuvj420p"
        huge.time_base = stream.codec_context.time_base
        for packet in [*huge.encode(av.VideoFrame(9500, 9500, "yuvj420p")), *huge.encode(None)]:
            packet.stream, packet.pts, packet.dts = stream, count, count
            film.mux(packet)
    sampled = sample_frames(clip, 2 * count)
    assert sampled.truncated
    assert sampled.frames.shape[1:] == (48, 64, 3)
    assert len(np.unique(sampled.times)) == count
