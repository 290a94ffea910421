"""Reading 40 frames of a clip against decoding all of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType

from benchmarks.timing import Effort, Line, interleaved, times_as_fast
from pipeline.media.video import sample_frames

COUNT = 40
RATE = 25
LONG, SHORT = 60.0, 4.0  # seconds
LARGE, SMALL = (1280, 720), (320, 240)


def write_clip(path: Path, seconds: float, size: tuple[int, int], seed: int = 0) -> None:
    """Write an H.264 clip as sites serve them: B-frames, keyframes 1 to 4 seconds apart.

    A camera pans over a still picture with a little grain, which takes about as long to decode as
    a filmed scene.
    """
    rng = np.random.default_rng(seed)
    key = set(np.cumsum(rng.integers(RATE, 4 * RATE, size=int(seconds) + 1)).tolist()) | {0}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "23", "g": str(10 * RATE), "threads": "1"}
        for number, picture in enumerate(_pan(round(seconds * RATE), size, rng)):
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
            frame.pict_type = PictureType.I if number in key else PictureType.NONE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _pan(frames: int, size: tuple[int, int], rng: np.random.Generator) -> Iterator[np.ndarray]:
    width, height = size
    coarse = rng.integers(0, 256, ((height + 400) // 8, (width + 400) // 8), dtype=np.uint8)
    scene = coarse.repeat(8, axis=0).repeat(8, axis=1)
    grain = rng.integers(0, 12, (height, width), dtype=np.uint8)
    for number in range(frames):
        x, y = (int(180 * (1 + np.sin(number / pace))) for pace in (60, 47))
        yield scene[y : y + height, x : x + width] // 2 + np.roll(grain, 7 * number, axis=1)


def decode_everything(path: Path) -> np.ndarray:
    """Read 40 frames the simple way with PyAV: decode all, convert those at equal distances."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        requested = set(((np.arange(COUNT) + 0.5) / COUNT * stream.frames).astype(int).tolist())
        frames = enumerate(container.decode(stream))
        return np.stack(
            [f.to_ndarray(format="rgb24", threads=1) for n, f in frames if n in requested]
        )


def measure(effort: Effort) -> list[Line]:
    """Time both on a long clip of 720p and on a short, small one."""
    with tempfile.TemporaryDirectory() as folder:
        long, short = Path(folder) / "long.mp4", Path(folder) / "short.mp4"
        write_clip(long, LONG, LARGE)
        write_clip(short, SHORT, SMALL)
        return [
            _against("60 s of 720p", long, effort.of_seconds, least=1.2),
            _against("4 s of 320 x 240", short, effort.repeats, least=0.95),
        ]


def _against(what: str, path: Path, repeats: int, least: float) -> Line:
    work = {
        "ours": lambda: sample_frames(path, COUNT),
        "all": lambda: decode_everything(path),
    }
    times = interleaved(work, repeats, warm_up=1)
    ours, everything = times["ours"], times["all"]
    return Line(
        f"{COUNT} frames of {what} against decoding all of it",
        times_as_fast(ours, everything),
        least,
        at_least=True,
        detail=f"{1e3 * ours.median:.0f} ms against {1e3 * everything.median:.0f} ms",
    )
