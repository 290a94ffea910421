"""Clips are cut without decoding, and the seconds of picture that were received are measured."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from pipeline.datasets.clips.clip_cache import ClipCache, ClipRequest
from pipeline.datasets.clips.cut import cut, measure
from pipeline.datasets.clips.failures import ClipError
from pipeline.media.audio import read_waveform
from pipeline.media.video import sample_frames

# Frames in the order of their times: else a slide's length is not what is written.
IN_ORDER = {"bf": "0"}


def write(
    path: Path,
    times: list[float],
    seconds: float = 10.0,
    cover: bool = False,
    options: dict[str, str] = IN_ORDER,
    begin: float = 0.0,
    subtitle: int = 0,
) -> Path:
    """Write a film with a picture at each of `times`, or a cover, and `seconds` of sound.

    All of it begins `begin` seconds later, but for a subtitle of `subtitle` seconds, if any.
    """
    with av.open(f"file:{path}", "w") as container:
        sound = container.add_stream("aac", rate=8000, layout="mono")
        codec, form = ("mjpeg", "yuvj420p") if cover else ("libx264", "yuv420p")
        video = container.add_stream(codec, rate=10, options={} if cover else options)
        video.width, video.height, video.pix_fmt = 64, 48, form
        if cover:
            video.disposition = Disposition.attached_pic
        if subtitle:
            words = av.Packet(b"words")
            words.stream, words.pts, words.dts = container.add_mux_stream("subrip"), 0, 0
            words.time_base, words.duration = Fraction(1), subtitle
            container.mux(words)
        for second in times:
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = round((begin + second) * 10), Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for start in range(int(8000 * begin), int(8000 * (begin + seconds)), 1024):
            part = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            part.sample_rate, part.pts, part.time_base = 8000, start, Fraction(1, 8000)
            container.mux(sound.encode(part))
        container.mux(sound.encode(None))
    return path


def steps(end: float, step: float) -> list[float]:
    return [round(k * step, 3) for k in range(round(end / step))]


@pytest.fixture
def fetch(clips: ClipCache, serve: Any, give: Any) -> Callable[..., object]:
    def run(film: Path, *span: float | None) -> object:
        return clips.fetch(ClipRequest(f"{serve(give(film.read_bytes())).url}/film.mp4", *span))

    return run


def test_sound_does_not_stand_for_a_picture_that_ends(
    tmp_path: Path, fetch: Callable[..., object]
) -> None:
    film = write(tmp_path / "film.mp4", steps(4.0, 0.1))
    assert measure(film).picture == pytest.approx(4.0, abs=0.15)
    assert measure(film).last == pytest.approx(10.0, abs=0.2)
    with pytest.raises(ClipError, match=r"[34]\.\d of the 7\.0 requested seconds were received"):
        fetch(film, 1.0, 8.0)
    fetch(film, 1.0, 3.0)


def test_a_whole_film_may_end_with_sound_alone(
    tmp_path: Path, fetch: Callable[..., object]
) -> None:
    fetch(write(tmp_path / "film.mp4", steps(8.0, 0.1)), None, None)


@pytest.mark.parametrize(("begin", "subtitle"), [(0, 15), (10, 0)])
@pytest.mark.parametrize("tag", [b"DURATION", b"CURATION"])
def test_a_whole_film_may_begin_later_or_end_with_a_subtitle(
    tmp_path: Path, fetch: Callable[..., object], begin: float, subtitle: int, tag: bytes
) -> None:
    path = write(
        tmp_path / "film.mkv", steps(8.0, 0.1), 8.0, options={}, begin=begin, subtitle=subtitle
    )
    path.write_bytes(path.read_bytes().replace(b"DURATION", tag))
    received = measure(path)
    assert received.picture == pytest.approx(8.0, abs=0.15)
    assert received.last >= received.stated - 0.2
    fetch(path, None, None)


@pytest.mark.parametrize("span", [(1.0, 9.5), (None, 9.5), (2.0, None)])
def test_slides_stand_until_the_next(
    tmp_path: Path, fetch: Callable[..., object], span: tuple[float | None, float | None]
) -> None:
    film = write(tmp_path / "film.mp4", steps(12.0, 3.0), 12.0)
    assert measure(film).picture == pytest.approx(12.0)
    fetch(film, *span)


def cut_frames(film: Path, clip: Path, start: float, end: float) -> int:
    offset = cut([film], clip, start, end)
    sampled = sample_frames(clip, 4, offset + 0.001, offset + end - start - 0.001)
    assert not sampled.truncated
    return len(sampled.frames)


def test_a_cut_can_be_decoded_without_times_of_decoding(tmp_path: Path) -> None:
    film = write(tmp_path / "film.mkv", steps(8.0, 0.1), 8.0, options={"bf": "3", "g": "40"})
    assert cut_frames(film, tmp_path / "clip.mkv", 1.0, 3.0) == 4


def test_a_film_without_an_index_is_joined_before_it_is_cut(tmp_path: Path) -> None:
    film = write(tmp_path / "film.ts", steps(8.0, 0.1), 8.0, options={"bf": "3", "g": "40"})
    with pytest.raises(ValueError, match="cannot be searched for keyframes"):
        cut([film], tmp_path / "clip.mkv", 1.0, 3.0)
    cut([film], tmp_path / "joined.mkv", None, None)
    assert cut_frames(tmp_path / "joined.mkv", tmp_path / "clip.mkv", 1.0, 3.0) == 4


def test_a_cover_is_no_picture_that_ends(tmp_path: Path, fetch: Callable[..., object]) -> None:
    film = write(tmp_path / "film.mp4", [0.0], cover=True)
    assert measure(film).picture == pytest.approx(10.0, abs=0.2)
    fetch(film, 1.0, 8.0)


@pytest.fixture
def apart(film: bytes, tmp_path: Path) -> list[Path]:
    """The film's picture and sound as files of their own, as YouTube serves them."""
    (tmp_path / "film.mp4").write_bytes(film)
    paths = [tmp_path / "picture.mp4", tmp_path / "sound.mp4"]
    for kind, path in zip(("video", "audio"), paths, strict=True):
        with av.open(tmp_path / "film.mp4") as source, av.open(path, "w") as target:
            stream = source.streams.best(kind)
            copy = target.add_stream_from_template(stream)
            for packet in source.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    target.mux(packet)
    return paths


@pytest.mark.parametrize("span", [(3.25, 5.0), (None, None)])
def test_picture_and_sound_are_joined(
    apart: list[Path], tmp_path: Path, span: tuple[float | None, float | None]
) -> None:
    offset = cut(apart, tmp_path / "clip.mkv", *span)
    start, end = offset + 0.001, None if span[1] is None else offset + 1.75 - 0.001
    clip_frames = sample_frames(tmp_path / "clip.mkv", 6, start, end).frames
    expected = sample_frames(tmp_path / "film.mp4", 6, *span).frames
    assert np.abs(clip_frames.astype(int) - expected).max() <= 2
    sound = read_waveform(tmp_path / "clip.mkv", 16_000, start, end).samples
    expected_sound = read_waveform(tmp_path / "film.mp4", 16_000, *span).samples
    assert len(sound) == pytest.approx(len(expected_sound), abs=1600)
    assert measure(tmp_path / "clip.mkv").picture >= (1.75 if span[1] else 9.9)


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9"])
def test_transparency_survives(tmp_path: Path, codec: str) -> None:
    with av.open(str(tmp_path / "film.webm"), "w") as film:
        stream = film.add_stream(codec, rate=10, options={"auto-alt-ref": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
        clear = av.VideoFrame.from_ndarray(np.zeros((48, 64, 4), np.uint8), format="rgba")
        for _ in range(5):
            film.mux(stream.encode(clear))
        film.mux(stream.encode())
    cut([tmp_path / "film.webm"], tmp_path / "clip.mkv", 0.0, 0.3)
    assert (sample_frames(tmp_path / "clip.mkv", 2).frames == 255).all()
