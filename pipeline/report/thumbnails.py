"""Thumbnails of photos and film strips of clips, as data URLs."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from pipeline.features.recipe import Item
from pipeline.media import MediaError, read_photo, sample_frames

SIDE = 160  # pixels, of a photo's longer side
FRAMES = 4
STRIP = 120  # pixels, of a frame's longer side
QUALITY = 70


def thumbnail(item: Item) -> str | None:
    """Return a JPEG of a visual item's first photo, or of frames of its clip, as a data URL.

    None where it cannot be read: extraction has counted why.
    """
    try:
        if item.form == "photo":
            return _data_url(shrunk(read_photo(item.file).pixels, SIDE))
        clip = sample_frames(
            item.file, FRAMES, item.start, item.end, lambda frame: shrunk(frame, STRIP)
        )
        return _data_url(np.concatenate(list(clip.frames), axis=1))
    except MediaError:
        return None


def shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    """Scale a picture [height, width, 3] so that its longer side has at most `side` pixels."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    return np.asarray(image)


def _data_url(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
