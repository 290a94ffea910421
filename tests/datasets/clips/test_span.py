from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.datasets.clips.measure import measure
from pipeline.datasets.clips.span import cut
from pipeline.media.audio import read_waveform
from pipeline.media.video import sample_frames


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
    found = sample_frames(tmp_path / "clip.mkv", 6, start, end).frames
    expected = sample_frames(tmp_path / "film.mp4", 6, *span).frames
    assert np.abs(found.astype(int) - expected).max() <= 2
    heard = read_waveform(tmp_path / "clip.mkv", 16_000, start, end).samples
    meant = read_waveform(tmp_path / "film.mp4", 16_000, *span).samples
    assert len(heard) == pytest.approx(len(meant), abs=1600)
    assert measure(tmp_path / "clip.mkv").shown >= (1.75 if span[1] else 9.9)
