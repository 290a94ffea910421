"""Clips of every format that sites and cameras write are read; others are refused with the cure."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.media import MediaError, read_waveform, sample_frames

Numbers = Callable[[np.ndarray], list[int]]

SIZE = (176, 144)
CODECS = {
    "phone.3gp": ("h263", "libopencore_amrnb"),
    "stream.ts": ("libx264", "aac"),
    "camera.m2ts": ("libx264", "aac"),
    "old.avi": ("mpeg4", "libmp3lame"),
    "old.wmv": ("wmv2", "wmav2"),
    "old.flv": ("flv", "libmp3lame"),
    "wiki.ogv": ("libvpx", "libopus"),
    "disc.mpg": ("mpeg2video", "mp2"),
    "film.mov": ("mjpeg", "pcm_s16le"),
}
RATES = {"libopencore_amrnb": 8_000, "libmp3lame": 22_050, "libopus": 48_000}


def write_film(path: Path, codec: str, sound_codec: str) -> Path:
    """Write two seconds: frame k of 50 has the grey level 5 k + 5; a tone of 440 Hz."""
    rate = RATES.get(sound_codec, 44_100)
    options = {"mpegts_m2ts_mode": "1"} if path.suffix == ".m2ts" else {}
    format = {".m2ts": "mpegts", ".ogv": "ogg"}.get(path.suffix)
    with av.open(str(path), "w", format=format, options=options) as film:
        stream = film.add_stream(codec, rate=25, bit_rate=2_000_000)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        bit_rate = 12_200 if rate == 8_000 else 64_000
        sound = film.add_stream(sound_codec, rate=rate, layout="mono", bit_rate=bit_rate)
        for k in range(50):
            grey = np.full((SIZE[1], SIZE[0], 3), 5 * k + 5, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        film.mux(stream.encode())
        tone = np.sin(np.arange(2 * rate) * 2 * np.pi * 440 / rate) * 20_000
        frame = av.AudioFrame.from_ndarray(tone.astype(np.int16)[None], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        film.mux(sound.encode(frame))
        film.mux(sound.encode())
    return path


@pytest.mark.parametrize(("name", "codecs"), CODECS.items(), ids=CODECS)
def test_a_format_of_cameras_and_sites_is_read(
    tmp_path: Path, numbers: Numbers, name: str, codecs: tuple[str, str]
) -> None:
    path = write_film(tmp_path / name, *codecs)
    clip = sample_frames(path, 10)
    # Levels are rounded, and some formats have coarse times.
    assert np.allclose(numbers(clip.frames), [2, 7, 12, 17, 22, 27, 32, 37, 42, 47], atol=1)
    assert not clip.truncated
    samples = read_waveform(path, 8_000).samples
    assert len(samples) == pytest.approx(16_000, abs=1_600)
    loudest = np.abs(np.fft.rfft(samples[4_000:12_000])).argmax()
    assert loudest == pytest.approx(440, abs=3)


def moving_square(transparent: bool) -> list[Image.Image]:
    """Draw a square that moves by 10 pixels a picture, over blue or over nothing."""
    pictures = []
    for k in range(8):
        picture = Image.new("RGBA", (96, 32), (0, 0, 0, 0) if transparent else (0, 0, 200, 255))
        ImageDraw.Draw(picture).rectangle((10 * k, 8, 10 * k + 9, 24), fill=(255, 0, 0, 255))
        pictures.append(picture)
    return pictures


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("name", ["moving.gif", "moving.png"])
def test_an_animation_is_a_clip(tmp_path: Path, name: str, transparent: bool) -> None:
    pictures, durations = moving_square(transparent), [100, 500, 60, 60, 900, 100, 100, 100]
    path = tmp_path / name
    options = {"disposal": 2} if transparent and name.endswith("gif") else {}
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, **options
    )
    clip = sample_frames(path, 100)
    assert not clip.truncated
    assert np.allclose(np.unique(clip.times), np.cumsum([0, *durations[:-1]]) / 1000)
    behind = (255, 255, 255) if transparent else (0, 0, 200)
    for time, frame in zip(clip.times, clip.frames, strict=True):
        number = int(np.searchsorted(np.cumsum(durations) / 1000, time + 1e-6))
        expected = np.full((32, 96, 3), behind, np.uint8)
        expected[8:25, 10 * number : 10 * number + 10] = (255, 0, 0)
        assert np.array_equal(frame, expected)


@pytest.mark.parametrize(("name", "end"), [("moving.gif", 1), ("moving.png", 16)])
def test_a_cut_animation_is_truncated(tmp_path: Path, name: str, end: int) -> None:
    pictures, path = moving_square(transparent=False), tmp_path / name
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    content = path.read_bytes()
    for length in (len(content) - end, len(content) * 3 // 4):
        path.write_bytes(content[:length])
        assert sample_frames(path, 4).truncated
    path.write_bytes(content + bytes(4))
    assert not sample_frames(path, 4).truncated


def test_another_format_is_refused_with_the_cure(tmp_path: Path) -> None:
    pictures, path = moving_square(transparent=False), tmp_path / "animated.webp"
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    with pytest.raises(MediaError, match=r"convert it to one of MP4, MOV.* GIF, APNG") as caught:
        sample_frames(path)
    assert caught.value.kind == "decode_failed"
