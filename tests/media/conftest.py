"""Clips made for the tests: the shade of a frame tells which one it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

WriteClip = Callable[..., Path]

# Where `films` lies, which several of these tests import.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def write_clip(tmp_path: Path) -> WriteClip:
    def write(
        name: str,
        times: Sequence[float],
        size: tuple[int, int] = (64, 48),
        codec: str = "libx264",
        options: dict[str, str] | None = None,
        faststart: bool = False,
    ) -> Path:
        """Write one frame a time (seconds); frame k has grey level 5 k + 5."""
        path = tmp_path / name
        flags = {"movflags": "faststart"} if faststart else {}
        with av.open(f"file:{path}", "w", options=flags) as container:
            stream = container.add_stream(codec, rate=1000, options=options or {})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            for k, seconds in enumerate(times):
                grey = np.full((size[1], size[0], 3), 5 * k + 5, np.uint8)
                frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
                frame.pts, frame.time_base = round(seconds * 1000), Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


def frame_numbers(frames: np.ndarray) -> list[int]:
    """Read from their shades which frames of a made clip these are."""
    return [round((float(frame.mean()) - 5) / 5) for frame in frames]


@pytest.fixture
def numbers() -> Callable[[np.ndarray], list[int]]:
    return frame_numbers
