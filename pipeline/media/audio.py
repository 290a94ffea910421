"""The sound of a clip as one waveform."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import av
import librosa
import numpy as np
from av.audio.stream import AudioStream
from jaxtyping import Float32

from pipeline.inputs.containers import origin
from pipeline.media.container import Packets, best_audio, open_container, time_span
from pipeline.media.errors import DAMAGE, UNREADABLE, MediaError, reason

# Three hours at 48 kHz; 2 GiB while they are resampled.
MAX_SAMPLES = 2**29
# Resampling from a lower rate would make seconds of sound from each byte.
SAMPLE_RATES = (1_000, 768_000)
# Seconds. Smaller steps between timestamps are not gaps: Matroska rounds to 1 ms, phones and MP3
# encoders are 12 to 25 ms off, AAC encoders 48 ms, and up to 45 ms nobody notices (ITU-R BT.1359).
JITTER = 0.05


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

    Sound is placed by its timestamps. Gaps become silence, also before sound that begins late;
    where two pieces overlap, the earlier one is used. Nothing is added after the last sample.

    Channels are averaged, then resampled (soxr, high quality). Loudness stays as it is; where a
    lossy codec overshoots, values are clipped to [-1, 1].

    Raises MediaError of kind missing_file, decode_failed, truncated, too_large, no_audio_stream or
    no_frames (no sample in the span); ValueError for an empty span of time; OSError and
    MemoryError for what this machine could not do.
    """
    begin, finish = time_span(path, start, end)
    with open_container(path) as container:
        stream = best_audio(container, path)
        packets, sound = Packets(container), _Sound()
        for piece, piece_rate, time in _pieces(packets, stream, sound):
            sound.add(piece, piece_rate, None if time is None else time - origin(container))
            _require_allowed(path, sound, finish)
            if sound.end > finish:
                break
        cut = finish == inf and packets.end_early(stream)
    mono = sound.between(begin, finish)
    if not mono.size:
        kind = "decode_failed" if sound.damage else "truncated" if cut else "no_frames"
        message = f"{path}: no sound between {begin} and {finish} seconds {sound.damage}"
        raise MediaError(kind, message.strip())
    samples = librosa.resample(mono, orig_sr=sound.rate, target_sr=rate, res_type="soxr_hq")
    return Waveform(samples.clip(-1, 1), rate, truncated=cut or bool(sound.damage))


@dataclass
class _Run:
    """Pieces of one rate without a gap; `begin` is the first sample's time in seconds."""

    rate: int
    begin: float
    length: int = 0
    pieces: list[np.ndarray] = field(default_factory=list)

    @property
    def end(self) -> float:
        return self.begin + self.length / self.rate

    def samples(self, rate: int) -> Float32[np.ndarray, " samples"]:
        mono = np.concatenate(self.pieces)
        return librosa.resample(mono, orig_sr=self.rate, target_sr=rate, res_type="soxr_hq")


@dataclass
class _Sound:
    """Sound decoded so far; `rate` is the highest of its runs, `begin` the earliest time."""

    runs: list[_Run] = field(default_factory=list)
    rate: int = 1
    begin: float = inf
    decoded: int = 0
    damage: str = ""

    @property
    def end(self) -> float:
        return self.runs[-1].end if self.runs else 0.0

    @property
    def zero(self) -> float:
        """The time of the waveform's first sample: 0 where the sound begins later."""
        return self.begin if self.begin <= JITTER else 0.0

    def add(self, mono: np.ndarray, rate: int, time: float | None) -> None:
        end = self.end
        begin = end if time is None else time
        continuous = bool(self.runs) and abs(begin - end) <= JITTER
        if not continuous or rate != self.runs[-1].rate:
            self.runs.append(_Run(rate, end if continuous else begin))
            self.begin = min(self.begin, begin)
            self.rate = max(self.rate, rate)
        self.runs[-1].pieces.append(mono)
        self.runs[-1].length += mono.size
        self.decoded += mono.size

    def between(self, begin: float, finish: float) -> Float32[np.ndarray, " samples"]:
        zero, rate = self.zero, self.rate
        end = min(max((run.end for run in self.runs), default=zero), finish)
        whole = np.zeros(max(round((end - zero) * rate), 0), np.float32)
        for run in reversed(self.runs):  # of two that overlap, the earlier is written last
            at = round((run.begin - zero) * rate)
            if at < whole.size:
                mono = run.samples(rate)[: whole.size - at]
                whole[at : at + mono.size] = mono
        return whole[max(round((begin - zero) * rate), 0) :]


def _require_allowed(path: str | Path, sound: _Sound, finish: float) -> None:
    """Raise MediaError for values, a rate or a length that are not allowed, at the last piece."""
    run, (low, high) = sound.runs[-1], SAMPLE_RATES
    if not np.isfinite(run.pieces[-1]).all():
        raise MediaError("decode_failed", f"{path}: the sound holds values that are no numbers")
    if not low <= run.rate <= high:
        message = f"{path}: {run.rate} samples per second; allowed: {low:,} to {high:,}"
        raise MediaError("too_large", message)
    # Gaps count: a wrong timestamp makes hours of silence.
    samples = (min(sound.end, finish) - sound.zero) * sound.rate
    if max(samples, sound.decoded) > MAX_SAMPLES:
        message = f"{path}: more than {MAX_SAMPLES:,} samples of sound, gaps included"
        raise MediaError("too_large", message)


def _pieces(
    packets: Packets, stream: AudioStream, sound: _Sound
) -> Iterator[tuple[np.ndarray, int, float | None]]:
    """Yield the samples, rate and time (seconds, if stated) of each frame of a stream.

    What is damaged is left out and noted in `sound.damage`.
    """
    # PyAV reads past the end of a frame of eight or more planes; resampled it has one plane.
    # A resampler takes frames of one kind only.
    resamplers = defaultdict[object, av.AudioResampler](lambda: av.AudioResampler("dbl"))
    last = None
    try:
        for packet in packets:
            if packet.stream is not stream:
                continue
            if packet.is_corrupt:
                sound.damage = sound.damage or "(a packet is cut short)"
            for frame in _decode(stream, packet, sound):
                kind = frame.format.name, frame.layout.name, frame.sample_rate
                parts = [part.to_ndarray() for part in resamplers[kind].resample(frame)]
                values = np.concatenate(parts, axis=1).reshape(-1, frame.layout.nb_channels)
                # A time that does not advance is ignored.
                time = None if frame.time == last else frame.time
                last = frame.time
                yield values.mean(axis=1).astype(np.float32), frame.sample_rate, time
    except UNREADABLE as error:
        sound.damage = f"({reason(error)})"  # the sound before it is used


def _decode(stream: AudioStream, packet: av.Packet, sound: _Sound) -> list[av.AudioFrame]:
    try:
        return stream.codec_context.decode(packet)
    except DAMAGE as error:
        sound.damage = f"({reason(error)})"
        return []
