"""Photos of any usual format to RGB."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.media.errors import (
    MAX_PIXELS,
    MediaError,
    disk_error,
    explain_memory,
    require_file,
)
from pipeline.media.picture import over_white

# Raster formats only. Pillow would also run Ghostscript on an EPS and open WMF, HDF5 and others.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP")

# More than `MAX_PIXELS` take in any of these formats; the file is held in memory as a whole.
MAX_PHOTO_BYTES = 2**30


def read_photo(path: str | Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read a photo as RGB, as a viewer shows it on a white page.

    The EXIF orientation is applied, transparency is laid over white, 16-bit values are scaled
    (not cut) to 8 bits, and an animation gives its first frame. Colour profiles are ignored.

    Raises MediaError of kind missing_file, not_an_image, truncated, too_large (more than
    `MAX_PIXELS`, checked before decoding) or decode_failed; OSError and MemoryError for what this
    machine could not do.
    """
    path = require_file(path)
    contents = _contents(path)
    # Pillow's decoders raise a plain MemoryError for a picture that is too wide for them.
    with explain_memory(path, by_decoder=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its size is checked here
        return _decode(path, contents)


def _contents(path: Path) -> bytes:
    # Read before it is decoded: to a decoder, a failing disk looks like a damaged picture.
    if path.stat().st_size > MAX_PHOTO_BYTES:
        raise MediaError(
            "too_large", f"{path}: a photo of more than {MAX_PHOTO_BYTES} bytes; make it smaller"
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise disk_error(path, error) from error


def _decode(path: Path, contents: bytes) -> UInt8[np.ndarray, "height width 3"]:
    try:
        with Image.open(io.BytesIO(contents), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            return np.array(_to_rgb(ImageOps.exif_transpose(image)))
    except Image.DecompressionBombError:
        message = f"{path}: more than {MAX_PIXELS} pixels; make it smaller"
        raise MediaError("too_large", message) from None
    except UnidentifiedImageError:
        message = f"{path}: not a readable {', '.join(FORMATS)} picture"
        raise MediaError("not_an_image", message) from None
    except MemoryError:
        raise
    # For a damaged picture decoders raise nearly anything, also struct.error and IndexError.
    except Exception as error:
        if "out of memory" in str(error):  # Pillow's decoders report it so
            raise MemoryError from error
        if "truncated" in str(error).lower():
            message = f"{path}: the picture ends early ({error})"
            raise MediaError("truncated", message) from error
        message = f"{path}: {type(error).__name__}: {error}"
        raise MediaError("decode_failed", message) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _scale_to_8_bits(image)
    return over_white(image) if image.has_transparency_data else image.convert("RGB")


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ValueError("32-bit grey values without a known white; save the picture with 8 bits")
    # Pillow's own conversion cuts everything above 255 to white.
    return Image.fromarray(((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8))
