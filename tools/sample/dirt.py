"""Faults as in real data: garbled texts, and photos that are truncated or of unusual formats."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

EMOJI = ("🙏", "😢", "🌊", "🔥", "❤️", "🇵🇷")
# Pillow's default, stated because it decides bytes.
QUALITY = 75
ORIENTATION = 0x0112  # the EXIF tag
QUARTER_TURN = 6  # its value for "rotate by 90 degrees clockwise"

Pixels = UInt8[ndarray, "h w 3"]


def mojibake(text: str) -> str:
    """Put a remark before the links whose UTF-8 was decoded as Windows-1252."""
    said, link, links = text.partition(" https://")
    remark = " — we\N{RIGHT SINGLE QUOTATION MARK}re told"
    return said + remark.encode("utf-8").decode("cp1252") + link + links


def encode_jpeg(picture: Image.Image, **options: Any) -> bytes:
    """Encode a picture as JPEG."""
    stream = io.BytesIO()
    picture.save(stream, format="JPEG", quality=QUALITY, **options)
    return stream.getvalue()


def encode_png(pixels: Pixels) -> bytes:
    """Encode pixels as PNG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def truncated(pixels: Pixels) -> bytes:
    """Encode a JPEG and drop its second half."""
    whole = encode_jpeg(Image.fromarray(pixels))
    return whole[: len(whole) // 2]


def text_file(pixels: Pixels) -> bytes:
    """Return the web page that a server sends for a photo that was removed."""
    return b"<!DOCTYPE html>\n<title>404 Not Found</title>\n<p>This photo was removed.</p>\n"


def grey(pixels: Pixels) -> bytes:
    """Encode a JPEG of one channel."""
    return encode_jpeg(Image.fromarray(pixels).convert("L"))


def cmyk(pixels: Pixels) -> bytes:
    """Encode a JPEG in CMYK."""
    return encode_jpeg(Image.fromarray(pixels).convert("CMYK"))


def rotated(pixels: Pixels) -> bytes:
    """Encode a JPEG as a phone held upright does: rotated pixels, and an EXIF orientation."""
    exif = Image.Exif()
    exif[ORIENTATION] = QUARTER_TURN
    return encode_jpeg(Image.fromarray(np.ascontiguousarray(np.rot90(pixels))), exif=exif)


# None: the photo is in the annotations and nowhere else.
PHOTO_DIRT: dict[str, Callable[[Pixels], bytes] | None] = {
    "truncated": truncated,
    "text_file": text_file,
    "missing": None,
    "grey": grey,
    "cmyk": cmyk,
    "rotated": rotated,
}
