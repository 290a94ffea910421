"""Sound is placed by its timestamps, on the same clock as the picture."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from films import pitch, write_film

from pipeline.media import MediaError, Waveform, read_waveform, sample_frames
from pipeline.media.audio import JITTER

GAP = [(0.0, 2.0, 300.0), (5.0, 8.0, 1200.0)]
FORMATS: dict[str, dict[str, Any]] = {
    "a.mkv": {"codec": "pcm_s16le"},
    "a.mp4": {"picture": (0, 8)},
    "a.ts": {"picture": (0, 8)},
    "a.flv": {"picture": (0, 8), "rate": 44_100},
    "a.webm": {"picture": (0, 8), "codec": "libopus"},
}


def pitches(sound: Waveform, *spans: tuple[float, float]) -> list[float]:
    """Return the pitch of each span, 0.1 s away from its ends, to 10 Hz."""
    cuts = [(round((a + 0.1) * sound.rate), round((b - 0.1) * sound.rate)) for a, b in spans]
    return [round(pitch(sound.samples[first:stop]), -1) for first, stop in cuts]


@pytest.fixture(params=[*FORMATS, "faults/sound/gap.mp4"])
def gap(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """300 Hz at 0 to 2 s, nothing, 1200 Hz at 5 to 8 s."""
    if "/" not in request.param:
        return write_film(tmp_path / request.param, GAP, **FORMATS[request.param])
    folder: Path = request.getfixturevalue("shared_data")
    return folder / request.param


def test_a_gap_in_the_sound_is_silence(gap: Path) -> None:
    sound = read_waveform(gap)
    assert pitches(sound, (0, 2), (2, 5), (5, 8)) == [300, 0, 1200]
    assert sound.samples.size / sound.rate == pytest.approx(8, abs=0.05)
    assert not sound.truncated


def test_a_span_holds_the_sound_of_its_time(gap: Path) -> None:
    silence, tone = read_waveform(gap, start=3.0, end=4.0), read_waveform(gap, start=5.5, end=6.5)
    assert silence.samples.size == tone.samples.size == 22_050
    assert not silence.samples[500:-500].any()
    assert pitches(tone, (0, 1)) == [1200]


@pytest.mark.parametrize("start", [0.0, 10.0])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.flv", "a.webm"])
def test_sound_that_begins_later_than_the_picture_agrees_with_it(
    tmp_path: Path, name: str, start: float
) -> None:
    options = {**FORMATS[name], "codec": "libopus" if name == "a.webm" else "aac"}
    tones = [(start + 0.7, start + 2, 300.0), (start + 2, start + 4, 1200.0)]
    path = write_film(tmp_path / name, tones, **{**options, "picture": (start, start + 4)})
    sound = read_waveform(path)
    assert pitches(sound, (0, 0.6), (0.7, 2), (2, 4)) == [0, 300, 1200]
    onset = np.flatnonzero(np.abs(sound.samples) > 0.1)[0] / sound.rate
    assert onset == pytest.approx(0.7, abs=0.08)
    assert sample_frames(path, 1, start=2.0, end=2.01).times[0] == pytest.approx(2.0, abs=0.11)


def placed_by_ffmpeg(path: Path, rate: int) -> np.ndarray:
    """FFmpeg's own filter that fills gaps and cuts overlaps, with our tolerance."""
    options = {"async": "1", "min_hard_comp": str(JITTER), "first_pts": "0"}
    filters = av.AudioResampler("flt", "mono", rate, options=options)
    with av.open(str(path)) as container:
        frames = [part for f in container.decode(audio=0) for part in filters.resample(f)]
    return np.concatenate([f.to_ndarray()[0] for f in (*frames, *filters.resample(None))])


def write_packets(path: Path, times: Sequence[float], seconds: float, rate: int = 8000) -> Path:
    """Write one continuous noise, cut into packets of `seconds` at `times`."""
    samples = np.random.default_rng(0).integers(-9000, 9000, (len(times), round(seconds * rate)))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        for time, part in zip(times, samples.astype(np.int16), strict=True):
            packet = av.Packet(part.tobytes())
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = round(time * 1000)
            packet.duration = round(seconds * 1000)
            container.mux(packet)
    return path


@pytest.mark.parametrize("seed", range(4))
def test_gaps_overlaps_and_jitter_are_placed_as_by_ffmpeg(tmp_path: Path, seed: int) -> None:
    steps = [0.0, 0.3, 1.0, 0.03, -0.02, -0.04, -0.15, -0.7]
    times = np.cumsum([0.0, *(1 + np.random.default_rng(seed).permutation(steps))])
    path = write_packets(tmp_path / "a.mkv", times.tolist(), seconds=1.0)
    assert np.array_equal(read_waveform(path, 8000).samples, placed_by_ffmpeg(path, 8000))


JITTERED = np.arange(40) / 10 + np.append(0, np.random.default_rng(0).uniform(-0.04, 0.04, 39))


@pytest.mark.parametrize("times", [JITTERED, np.zeros(40)], ids=["jittered", "still"])
def test_small_errors_of_timestamps_do_not_cut_a_waveform(
    tmp_path: Path, times: np.ndarray
) -> None:
    wrong = write_packets(tmp_path / "wrong.mkv", times.tolist(), seconds=0.1)
    exact = write_packets(tmp_path / "exact.mkv", (np.arange(40) / 10).tolist(), seconds=0.1)
    assert read_waveform(wrong).samples.tobytes() == read_waveform(exact).samples.tobytes()


def test_a_wrong_timestamp_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = write_packets(tmp_path / "days.mkv", [0.0, 0.1, 900_000.0], seconds=0.1)
    with pytest.raises(MediaError, match="more than 536,870,912 samples") as caught:
        read_waveform(path)
    assert caught.value.kind == "too_large"
    assert read_waveform(path, end=0.15).samples.size == round(0.15 * 22_050)


@pytest.mark.parametrize("later", [0, 7])
def test_joined_recordings_follow_each_other_in_sound_and_picture(
    tmp_path: Path, later: int
) -> None:
    parts = [
        write_film(tmp_path / "a.ts", [(later, later + 2, 300)], (later, later + 4)),
        write_film(tmp_path / "b.ts", [(0, 3, 1200)], (0, 2), fps=25),
        write_film(tmp_path / "c.ts", [(0, 2, 600)], (0, 2)),
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    sound, clip = read_waveform(joined), sample_frames(joined, 90)
    assert pitches(sound, (0, 2), (2.3, 4), (4.3, 7), (7.3, 9)) == [300, 0, 1200, 600]
    assert clip.times[[0, -1]] == pytest.approx([0, 9], abs=0.4)
    darkest = clip.times[clip.frames[:, 0, 0, 0] < 8]  # each recording begins with it
    assert np.allclose([darkest[darkest > t].min() for t in (-1, 1, 6)], [0, 4, 7], atol=0.4)
    assert (sound.truncated, clip.truncated) == (False, False)


@pytest.mark.parametrize("codec", ["aac", "mp2"])
def test_a_rate_and_channels_that_change_midway_are_followed(tmp_path: Path, codec: str) -> None:
    first = write_film(tmp_path / "a.ts", [(0, 2, 300.0)], codec=codec, rate=32_000)
    second = write_film(tmp_path / "b.ts", [(2, 4, 1200.0)], None, codec, 48_000, "stereo")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    sound = read_waveform(joined)
    assert pitches(sound, (0, 2), (2, 4)) == [300, 1200]
    assert sound.samples.size / sound.rate == pytest.approx(4, abs=0.1)
    assert not sound.truncated
