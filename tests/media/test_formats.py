"""Clips of every format that sites and cameras write are read; others are refused with the cure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from films import pitch, write_film
from PIL import Image, ImageDraw

from pipeline.media import MediaError, read_waveform, sample_frames

Numbers = Callable[[np.ndarray], list[int]]

CODECS = {
    "phone.3gp": ("h263", "libopencore_amrnb", 8_000),
    "stream.ts": ("libx264", "aac", 48_000),
    "camera.m2ts": ("libx264", "aac", 48_000),
    "old.avi": ("mpeg4", "libmp3lame", 22_050),
    "old.wmv": ("wmv2", "wmav2", 44_100),
    "old.flv": ("flv", "libmp3lame", 22_050),
    "wiki.ogv": ("libvpx", "libopus", 48_000),
    "disc.mpg": ("mpeg2video", "mp2", 48_000),
    "film.mov": ("mjpeg", "pcm_s16le", 44_100),
}


@pytest.mark.parametrize(("name", "codecs"), CODECS.items(), ids=CODECS)
def test_a_format_of_cameras_and_sites_is_read(
    tmp_path: Path, numbers: Numbers, name: str, codecs: tuple[str, str, int]
) -> None:
    video, sound, rate = codecs
    options = {"mpegts_m2ts_mode": "1"} if name.endswith(".m2ts") else {}
    path = write_film(
        tmp_path / name, [(0, 2, 440)], (0, 2), sound, rate, fps=25, video_codec=video, **options
    )
    clip = sample_frames(path, 10)
    # Levels are rounded, and some formats have coarse times.
    assert np.allclose(numbers(clip.frames), [2, 7, 12, 17, 22, 27, 32, 37, 42, 47], atol=1)
    assert not clip.truncated
    samples = read_waveform(path).samples
    assert len(samples) == pytest.approx(2 * 22_050, rel=0.1)
    assert pitch(samples[11_000:33_000]) == pytest.approx(440, abs=3)


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
    path.write_bytes(content + b"\r\n\0")
    assert not sample_frames(path, 4).truncated


def test_another_format_is_refused_with_the_cure(tmp_path: Path) -> None:
    pictures, path = moving_square(transparent=False), tmp_path / "animated.webp"
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    with pytest.raises(MediaError, match=r"convert it to one of MP4, MOV.* GIF, APNG") as caught:
        sample_frames(path)
    assert caught.value.kind == "decode_failed"
