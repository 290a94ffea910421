"""MP4 files with H.264 and AAC, with the same bytes in every run."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from jaxtyping import Float, UInt8
from numpy import ndarray

# Threads change how x264 cuts its work, and with it the bytes. So does its macroblock tree, even on
# one thread: the same pictures gave up to 25 different files in 25 runs.
X264 = {"preset": "veryfast", "crf": "27", "threads": "1", "x264-params": "no-mbtree=1"}
AAC_RATE = 48_000  # bits a second


def write_clip(
    path: Path,
    frames: Iterable[UInt8[ndarray, "h w 3"]],
    shape: tuple[tuple[int, int], int],
    sound: Float[ndarray, " n"] | None,
    rate: int,
    index_first: bool = True,
) -> None:
    """Write frames, and mono `sound` in [-1, 1] of `rate` samples a second where there is one.

    `shape` is ((width, height) in pixels, frames a second). With `index_first` the file's index
    precedes its data, so that the beginning of a truncated file can be read.
    """
    size, fps = shape
    options = {"fflags": "+bitexact"}
    if index_first:
        options["movflags"] = "+faststart"
    with av.open(str(path), "w", format="mp4", options=options) as container:
        video = container.add_stream("libx264", rate=fps, options=X264)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.thread_count = 1
        video.codec_context.flags |= Flags.bitexact
        audio = None
        if sound is not None:
            audio = container.add_stream("aac", rate=rate, layout="mono")
            audio.bit_rate = AAC_RATE
            audio.codec_context.flags |= Flags.bitexact
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            _write_sound(container, audio, sound, rate)


def _write_sound(
    container: av.container.OutputContainer,
    stream: AudioStream,
    sound: Float[ndarray, " n"],
    rate: int,
) -> None:
    step = 1024  # AAC's frame
    for start in range(0, len(sound), step):
        piece = np.ascontiguousarray(sound[None, start : start + step])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
