"""Decoded frames as a player shows them: square pixels, on a white page, upright."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream
from PIL import Image

from pipeline.media.errors import MAX_PIXELS

# A function of one upright RGB picture, which makes it smaller before the next is decoded.
Shrink = Callable[[np.ndarray], np.ndarray]

# Real pixels are at most three times as wide as high; beyond this, the header is wrong.
MAX_ASPECT_RATIO = 8


class Painter:
    """Turns the frames of one stream into RGB pictures of one size, as a player shows them.

    Colour matrix and range are the frame's own. Pixels that are not square are stretched, by the
    container's aspect ratio if it states one, else the codec's. Transparency is laid over white.
    The frame's display matrix turns and mirrors it, by the nearest right angle. Where a stream
    changes its size midway, later frames are scaled to the first size.
    """

    def __init__(self, stream: VideoStream, shrink: Shrink | None) -> None:
        context = stream.codec_context
        size = context.width, context.height
        self.width, self.height = _square_pixels(*size, stream.sample_aspect_ratio)
        self.shrink = shrink

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """Return the picture [height, width, 3], uint8, or what `shrink` makes of it."""
        form = frame.format
        transparent = form.has_palette or any(part.is_alpha for part in form.components)
        picture = frame.to_ndarray(
            format="rgba" if transparent else "rgb24",
            width=self.width,
            height=self.height,
            threads=1,
        )
        if transparent:
            picture = np.asarray(over_white(Image.fromarray(picture)))
        # PyAV's type hints list only one kind of side data.
        matrix = cast(bytes | None, frame.side_data.get("DISPLAYMATRIX"))
        if matrix:
            picture = _turn(picture, np.frombuffer(matrix, np.int32).tolist())
        upright = np.ascontiguousarray(picture)
        return self.shrink(upright) if self.shrink else upright


def over_white(image: Image.Image) -> Image.Image:
    """Lay a picture with transparency over a white page; returns RGB."""
    page = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(page, image.convert("RGBA")).convert("RGB")


def _square_pixels(width: int, height: int, ratio: Fraction | None) -> tuple[int, int]:
    """Return the size to which pixels that are `ratio` times as wide as high are stretched."""
    if not ratio or not 1 / MAX_ASPECT_RATIO <= ratio <= MAX_ASPECT_RATIO:
        return width, height
    size = (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))
    return size if size[0] * size[1] <= MAX_PIXELS else (width, height)


def _turn(picture: np.ndarray, matrix: list[int]) -> np.ndarray:
    """Apply a display matrix: (x, y) is shown at (a x + c y, b x + d y), up to a translation.

    A matrix that is not invertible is ignored. Source: ISO/IEC 14496-12, 6.2.2.
    """
    a, b, _, c, d = matrix[:5]
    if a * d == b * c:
        return picture
    right, down = a, d
    if abs(a * d) < abs(b * c):
        picture = picture.swapaxes(0, 1)
        right, down = c, b
    return picture[:: 1 if down > 0 else -1, :: 1 if right > 0 else -1]
