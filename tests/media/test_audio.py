from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from films import sine, write_film

from pipeline.media import MediaError, read_waveform

WriteClip = Callable[..., Path]

# Seconds of sound of every real file that has some.
SOUNDS = {
    "audio/nasa_13013.mp4.audio.mp3": 13.06,
    "audio/sine_mono_s16.wav": 4.0,
    "video/big_buck_bunny_432_433.webm": 1.0,
    "video/cockatoo.mp4": 13.9,
    "video/flipping_a_pancake.mkv": 10.37,
    "video/nasa_13013.mp4": 13.06,
    "video/realshort.mp4": 1.17,
}
SILENT = (
    "av1_video.mkv",
    "corrupted.mp4",
    "example.mp4",
    "h264_10bits.mp4",
    "h265_video.mp4",
    "video_90.mov",
)


def write_wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    """Write [samples, channels] of unsigned 8, signed 16 or 32 bits."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(samples.itemsize)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def tone(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


@pytest.mark.parametrize(("name", "seconds"), SOUNDS.items())
def test_real_sound_is_mono_at_the_asked_rate(shared_data: Path, name: str, seconds: float) -> None:
    sound = read_waveform(shared_data / "media" / name)
    assert sound.rate == 22_050
    assert sound.samples.dtype == np.float32
    assert sound.samples.size / 22_050 == pytest.approx(seconds, abs=0.05)
    assert np.abs(sound.samples).max() <= 1
    assert not sound.truncated


@pytest.mark.parametrize("name", SILENT)
def test_clips_without_sound_are_named_by_kind(shared_data: Path, name: str) -> None:
    with pytest.raises(MediaError, match=name) as caught:
        read_waveform(shared_data / "media" / "video" / name)
    assert caught.value.kind == "no_audio_stream"


def test_every_real_file_has_an_expected_outcome(shared_data: Path) -> None:
    folder = shared_data / "media"
    files = [p for p in (*folder.glob("video/*"), *folder.glob("audio/*")) if p.is_file()]
    expected = SOUNDS.keys() | {f"video/{name}" for name in SILENT}
    assert {str(path.relative_to(folder)) for path in files} == expected


@pytest.mark.parametrize(
    ("dtype", "scale", "shift"),
    [(np.uint8, 127, 128), (np.int16, 32767, 0), (np.int32, 2**31 - 1, 0)],
)
def test_every_sample_format_has_the_same_scale(
    tmp_path: Path, dtype: type, scale: float, shift: int
) -> None:
    expected = tone(0.2, 22_050)
    stored = (expected * scale + shift).round().astype(dtype)[:, None]
    sound = read_waveform(write_wav(tmp_path / "a.wav", stored, 22_050))
    assert np.abs(sound.samples - expected).max() < (0.02 if dtype is np.uint8 else 1e-3)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = tone(0.2, 22_050, 440), tone(0.2, 22_050, 1000)
    stored = (np.stack([left, right], axis=1) * 32767).astype(np.int16)
    sound = read_waveform(write_wav(tmp_path / "a.wav", stored, 22_050))
    assert np.abs(sound.samples - (left + right) / 2).max() < 1e-3


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_resampling_keeps_a_tone_at_its_height_and_loudness(tmp_path: Path, rate: int) -> None:
    stored = (tone(1.0, rate) * 0.5 * 32767).astype(np.int16)[:, None]
    samples = read_waveform(write_wav(tmp_path / "a.wav", stored, rate)).samples
    assert samples.size == 22_050
    middle = samples[2000:-2000]
    assert np.abs(middle - 0.5 * tone(1.0, 22_050)[2000:-2000]).max() < 2e-3


def test_a_part_is_the_same_part_of_the_whole(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(-9000, 9000, (3 * 22_050, 1)).astype(np.int16)
    path = write_wav(tmp_path / "a.wav", noise, 22_050)
    whole = read_waveform(path).samples
    part = read_waveform(path, start=0.5, end=1.25).samples
    assert np.array_equal(part, whole[11_025 : round(1.25 * 22_050)])


def test_a_part_after_the_end_has_no_sound(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.zeros((100, 1), np.int16), 22_050)
    with pytest.raises(MediaError) as caught:
        read_waveform(path, start=5.0)
    assert caught.value.kind == "no_frames"
    with pytest.raises(ValueError, match="before"):
        read_waveform(path, start=1.0, end=1.0)


def test_overshoot_of_resampling_is_cut(tmp_path: Path) -> None:
    square = np.sign(tone(0.5, 48_000, 300)) * 32767
    samples = read_waveform(
        write_wav(tmp_path / "a.wav", square.astype(np.int16)[:, None], 48_000)
    ).samples
    assert np.abs(samples).max() == 1


def test_a_truncated_file_gives_what_it_has_and_says_so(shared_data: Path, tmp_path: Path) -> None:
    whole = (shared_data / "media" / "video" / "flipping_a_pancake.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    sound = read_waveform(tmp_path / "cut.mkv")
    assert sound.truncated
    assert 1 < sound.samples.size / 22_050 < 9


@pytest.mark.parametrize(
    ("name", "codec", "layout"),
    [
        ("a.flac", "flac", "7.1"),
        ("a.wav", "pcm_s16le", "hexadecagonal"),
        ("b.wav", "pcm_u8", "octagonal"),
        ("a.mkv", "wavpack", "hexadecagonal"),
    ],
)
def test_eight_and_more_channels_are_averaged(
    tmp_path: Path, name: str, codec: str, layout: str
) -> None:
    path = write_film(tmp_path / name, [(0.0, 1.0, 440.0)], None, codec, 48_000, layout)
    samples = read_waveform(path, 48_000).samples[4_800:43_200]
    assert np.abs(samples - sine(0.1, 0.9, 440, 48_000)).max() < 0.01


@pytest.mark.parametrize("name", ["aac71.mp4", "opus71.webm"])
def test_the_given_files_of_eight_channels_are_read(shared_data: Path, name: str) -> None:
    sound = read_waveform(shared_data / "faults" / "sound" / name)
    assert sound.samples.size / sound.rate == pytest.approx(1, abs=0.03)
    assert np.abs(sound.samples).max() > 0.01
    assert not sound.truncated


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_sound_that_is_no_number_is_refused(tmp_path: Path, value: float) -> None:
    samples = np.zeros((1, 4000), np.float32)
    samples[0, 7] = value
    path = tmp_path / "nan.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(MediaError, match="values that are no numbers") as caught:
        read_waveform(path)
    assert caught.value.kind == "decode_failed"


@pytest.mark.parametrize("rate", [1, 999, 768_001])
def test_a_rate_that_would_make_much_of_little_is_refused(tmp_path: Path, rate: int) -> None:
    path = write_wav(tmp_path / "slow.wav", np.zeros((4000, 1), np.uint8), rate)
    with pytest.raises(MediaError, match="allowed: 1,000 to 768,000") as caught:
        read_waveform(path)
    assert caught.value.kind == "too_large"


def test_sound_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.media.audio.MAX_SAMPLES", 3000)
    path = write_wav(tmp_path / "long.wav", np.zeros((40_000, 1), np.int16), 8000)
    with pytest.raises(MediaError, match="more than 3,000 samples") as caught:
        read_waveform(path)
    assert caught.value.kind == "too_large"
