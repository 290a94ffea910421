"""The sound of a clip as one waveform."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import av
import librosa
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from jaxtyping import Float32

from pipeline.inputs.containers import origin
from pipeline.media.container import best_audio, ends_early, open_container, time_span
from pipeline.media.errors import DAMAGE, UNREADABLE, MediaError, reason

# Three hours at 48 kHz; 2 GiB while they are resampled.
MAX_SAMPLES = 2**29
# Resampling from a lower rate would make seconds of sound from each byte.
SAMPLE_RATES = (1_000, 768_000)


@dataclass(frozen=True)
class Waveform:
    """Mono samples in [-1, 1], `rate` a second; `truncated`: the file is damaged or cut short."""

    samples: Float32[np.ndarray, " samples"]
    rate: int
    truncated: bool


def read_waveform(
    path: str | Path, rate: int = 22_050, start: float | None = None, end: float | None = None
) -> Waveform:
    """Return the best audio stream between `start` and `end` (seconds from the file's beginning).

    Channels are averaged, then resampled (soxr, high quality). Loudness stays as it is; where a
    lossy codec overshoots, values are clipped to [-1, 1].

    Raises MediaError of kind missing_file, decode_failed, truncated, too_large, no_audio_stream or
    no_frames (no sample in the span); ValueError for an empty span of time; OSError and
    MemoryError for what this machine could not do.
    """
    begin, finish = time_span(path, start, end)
    with open_container(path) as container:
        stream = best_audio(container, path)
        low, high = SAMPLE_RATES
        if not low <= stream.rate <= high:
            message = f"{path}: {stream.rate} samples per second; allowed: {low:,} to {high:,}"
            raise MediaError("too_large", message)
        sound = _read(container, stream, finish)
        if sound.length > MAX_SAMPLES:
            raise MediaError("too_large", f"{path}: more than {MAX_SAMPLES:,} samples of sound")
        cut = finish == inf and ends_early(container, origin(container) + sound.end)
    mono = sound.between(begin, finish)
    if not mono.size:
        raise MediaError(
            "decode_failed" if sound.damage else "no_frames",
            f"{path}: no sound between {begin} and {finish} seconds {sound.damage}".strip(),
        )
    if not np.isfinite(mono).all():
        raise MediaError("decode_failed", f"{path}: the sound holds values that are no numbers")
    samples = librosa.resample(mono, orig_sr=sound.rate, target_sr=rate, res_type="soxr_hq")
    return Waveform(samples.clip(-1, 1), rate, truncated=cut or bool(sound.damage))


@dataclass
class _Sound:
    """Sound decoded so far, in mono pieces; `begin` is the first sample's time in seconds."""

    rate: int = 0
    begin: float = 0.0
    length: int = 0
    pieces: list[np.ndarray] = field(default_factory=list)
    damage: str = ""

    @property
    def end(self) -> float:
        return self.begin + self.length / self.rate if self.rate else 0.0

    def add(self, frame: av.AudioFrame, seconds: float) -> None:
        if not self.rate:
            self.rate, self.begin = frame.sample_rate, seconds
        if frame.sample_rate != self.rate:
            raise ValueError(f"the sample rate changes from {self.rate} to {frame.sample_rate}")
        self.pieces.append(_mono(frame))
        self.length += frame.samples

    def between(self, begin: float, finish: float) -> Float32[np.ndarray, " samples"]:
        if not self.pieces:
            return np.zeros(0, np.float32)
        first = max(round((begin - self.begin) * self.rate), 0)
        stop = None if finish == inf else max(round((finish - self.begin) * self.rate), 0)
        return np.concatenate(self.pieces)[first:stop]


def _read(container: InputContainer, stream: AudioStream, finish: float) -> _Sound:
    sound = _Sound()
    try:
        for packet in container.demux(stream):
            sound.damage = sound.damage or ("(a packet is cut short)" if packet.is_corrupt else "")
            for frame in _decode(stream, packet, sound):
                sound.add(frame, (frame.time or 0.0) - origin(container))
            if sound.end > finish or sound.length > MAX_SAMPLES:
                break
    except UNREADABLE as error:
        sound.damage = f"({reason(error)})"  # the sound before it is used
    return sound


def _decode(stream: AudioStream, packet: av.Packet, sound: _Sound) -> list[av.AudioFrame]:
    try:
        return stream.codec_context.decode(packet)
    except DAMAGE as error:
        sound.damage = f"({reason(error)})"
        return []


def _mono(frame: av.AudioFrame) -> Float32[np.ndarray, " samples"]:
    """Average the channels of a frame of any sample format, scaled to [-1, 1]."""
    values: np.ndarray = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    mono = values.mean(axis=0, dtype=np.float64)
    if values.dtype == np.uint8:
        mono = (mono - 128) / 128
    elif values.dtype.kind == "i":
        mono /= 2 ** (8 * values.itemsize - 1)
    return mono.astype(np.float32)
