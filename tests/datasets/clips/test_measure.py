from __future__ import annotations

import tracemalloc
from fractions import Fraction
from itertools import accumulate, cycle, pairwise
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets.clips.error import ClipError
from pipeline.datasets.clips.fetch import Wanted
from pipeline.datasets.clips.kept import Clips
from pipeline.datasets.clips.measure import _Shown, measure
from pipeline.datasets.clips.site import Manners


def write(path: Path, shown: list[float], heard: float = 10.0, cover: bool = False) -> Path:
    """Write a film with a picture at each of `shown` seconds, or a cover, and sound."""
    with av.open(f"file:{path}", "w") as container:
        sound = container.add_stream("aac", rate=8000, layout="mono")
        codec, form = ("mjpeg", "yuvj420p") if cover else ("libx264", "yuv420p")
        # Frames in the order of their times: else a slide's length is not what is written.
        video = container.add_stream(codec, rate=10, options={} if cover else {"bf": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, form
        if cover:
            video.disposition = Disposition.attached_pic
        for second in shown:
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(second * 10), Fraction(1, 10)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for start in range(0, int(8000 * heard), 1024):
            part = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            part.sample_rate, part.pts, part.time_base = 8000, start, Fraction(1, 8000)
            container.mux(sound.encode(part))
        container.mux(sound.encode(None))
    return path


def steps(end: float, step: float) -> list[float]:
    return [round(k * step, 3) for k in range(round(end / step))]


def fetch(tmp_path: Path, serve: Any, give: Any, film: Path, *span: float | None) -> None:
    url = f"{serve(give(film.read_bytes())).url}/film.mp4"
    Clips(tmp_path / "clips", Manners(0.0, 0.0)).fetch(Wanted(url, *span))


def test_sound_does_not_stand_for_a_picture_that_ends(
    tmp_path: Path, serve: Any, give: Any
) -> None:
    film = write(tmp_path / "film.mp4", steps(4.0, 0.1))
    assert measure(film).shown == pytest.approx(4.0, abs=0.15)
    assert measure(film).held == pytest.approx(10.0, abs=0.2)
    with pytest.raises(ClipError, match=r"[34]\.\d of the 7\.0 seconds wanted came"):
        fetch(tmp_path, serve, give, film, 1.0, 8.0)
    fetch(tmp_path, serve, give, film, 1.0, 3.0)


def test_a_whole_film_may_end_with_sound_alone(tmp_path: Path, serve: Any, give: Any) -> None:
    fetch(tmp_path, serve, give, write(tmp_path / "film.mp4", steps(8.0, 0.1)), None, None)


@pytest.mark.parametrize("span", [(1.0, 9.5), (None, 9.5), (2.0, None)])
def test_slides_stand_until_the_next(
    tmp_path: Path, serve: Any, give: Any, span: tuple[float | None, float | None]
) -> None:
    fetch(tmp_path, serve, give, write(tmp_path / "film.mp4", steps(12.0, 3.0), 12.0), *span)


def test_a_cover_is_no_picture_that_ends(tmp_path: Path, serve: Any, give: Any) -> None:
    film = write(tmp_path / "film.mp4", [0.0], cover=True)
    assert measure(film).shown == pytest.approx(10.0, abs=0.2)
    fetch(tmp_path, serve, give, film, 1.0, 8.0)


@settings(max_examples=200)
@given(
    gaps=st.lists(st.floats(0.0, 5.0), min_size=1, max_size=300),
    lengths=st.lists(st.floats(0.0, 5.0), min_size=1, max_size=300),
    shuffle=st.randoms(use_true_random=False),
)
def test_a_stream_ends_where_all_of_its_packets_together_say(
    gaps: list[float], lengths: list[float], shuffle: Random
) -> None:
    starts = list(accumulate(gaps))
    spans = [(start, start + length) for start, length in zip(starts, cycle(lengths), strict=False)]
    longest = max((after - before for before, after in pairwise(starts)), default=0.0)
    shown = _Shown()
    for first in range(0, len(spans), 32):  # packets change places with near ones only
        near = spans[first : first + 32]
        shuffle.shuffle(near)
        for span in near:
            shown.add(*span)
    assert shown.until() == max(max(end, start + longest) for start, end in spans)


def test_an_hour_of_packets_is_counted_in_the_memory_of_a_few() -> None:
    shown = _Shown()
    tracemalloc.start()
    for packet in range(100_000):
        shown.add(packet / 30, (packet + 1) / 30)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
