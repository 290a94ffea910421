"""Films made for the tests: tones and grey pictures at given times."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

Tone = tuple[float, float, float]  # begin and end in seconds, hertz

BIT_RATES = {"libopencore_amrnb": 12_200, "wmav2": 64_000}  # of codecs that need one


def write_film(
    path: Path,
    tones: Sequence[Tone],
    picture: tuple[float, float] | None = None,
    codec: str = "aac",
    rate: int = 48_000,
    layout: str = "mono",
    subtitle: tuple[float, float] | None = None,
    fps: int = 10,
    video_codec: str = "",
    **options: str,
) -> Path:
    """Write tones and grey pictures: the k-th after `picture[0]` has the level 5 (k mod 50) + 5.

    A subtitle, where there is one, is shown from its first to its second time.
    """
    format = {".m2ts": "mpegts", ".ogv": "ogg"}.get(path.suffix)
    with av.open(f"file:{path}", "w", format=format, options=options) as container:
        sound = container.add_stream(codec, rate=rate, layout=layout)
        if codec in BIT_RATES:
            sound.bit_rate = BIT_RATES[codec]
        usual = "libvpx" if path.suffix == ".webm" else "libx264"
        video = container.add_stream(video_codec or usual, rate=fps) if picture else None
        text = container.add_mux_stream("subrip") if subtitle else None
        packets = _sound_packets(sound, tones)
        if video and picture:
            packets += _video_packets(video, *picture, fps)
        if text and subtitle:
            line = av.Packet(b"a line")
            line.stream, line.time_base = text, Fraction(1, 1000)
            line.pts = line.dts = round(subtitle[0] * 1000)
            line.duration = round((subtitle[1] - subtitle[0]) * 1000)
            packets.append(line)
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return path


def sine(begin: float, end: float, hertz: float, rate: int) -> np.ndarray:
    return 0.5 * np.sin(
        2 * np.pi * hertz * np.arange(round(begin * rate), round(end * rate)) / rate
    )


def _sound_packets(stream: Any, tones: Sequence[Tone]) -> list[av.Packet]:
    context = stream.codec_context
    channels = context.layout.nb_channels
    packets = []
    for begin, end, hertz in tones:
        # The encoder's own format: PyAV cannot make frames of eight planes and more.
        fit = av.AudioResampler(
            context.format, context.layout, frame_size=context.frame_size or 480
        )
        wave = np.repeat(sine(begin, end, hertz, context.rate), channels)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], "flt", context.layout)
        frame.sample_rate, frame.time_base = context.rate, Fraction(1, context.rate)
        frame.pts = round(begin * context.rate)
        for part in (*fit.resample(frame), *fit.resample(None)):
            packets += stream.encode(part)
    return [*packets, *stream.encode(None)]


def _video_packets(stream: Any, begin: float, end: float, fps: int) -> list[av.Packet]:
    # The smallest size of H.263 but one; JPEG has the full range of levels.
    small = stream.name != "h263"
    stream.width, stream.height = (64, 48) if small else (176, 144)
    stream.pix_fmt = "yuvj420p" if stream.name == "mjpeg" else "yuv420p"
    stream.bit_rate = 2_000_000
    packets, first = [], round(begin * fps)
    for number in range(first, round(end * fps)):
        level = 5 * ((number - first) % 50) + 5
        grey = np.full((stream.height, stream.width, 3), level, np.uint8)
        frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, fps)
        packets += stream.encode(frame)
    return [*packets, *stream.encode(None)]


def pitch(samples: np.ndarray, rate: int = 22_050) -> float:
    """Return the strongest frequency in hertz, 0 for silence."""
    if np.abs(samples).max() < 0.01:
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum)) * rate / samples.size
