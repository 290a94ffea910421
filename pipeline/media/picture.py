"""A decoded video frame to the picture that a player shows."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
from av.video.stream import VideoStream

# Any function of one upright RGB picture: what makes it smaller before the next is decoded.
Shrink = Callable[[np.ndarray], np.ndarray]


class Painter:
    """Turns the frames of one stream into upright RGB pictures of one size.

    Colour matrix and range are the frame's own, and it is turned by its rotation metadata. Where
    a stream changes its size midway, later frames are scaled to the first size.
    """

    def __init__(self, stream: VideoStream, shrink: Shrink | None) -> None:
        self.width, self.height = stream.codec_context.width, stream.codec_context.height
        self.shrink = shrink

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """Return the picture [height, width, 3], uint8, or what `shrink` makes of it."""
        rgb = frame.to_ndarray(format="rgb24", width=self.width, height=self.height, threads=1)
        upright = np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90)))
        return self.shrink(upright) if self.shrink else upright
