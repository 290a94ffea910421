"""Photos of any usual format to RGB."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from pillow_heif import register_heif_opener

from pipeline.media.errors import (
    MAX_PIXELS,
    MediaError,
    disk_error,
    explain_memory,
    require_file,
)
from pipeline.media.picture import over_white

# Raster formats only. Pillow would also run Ghostscript on an EPS and open WMF, HDF5 and others.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "HEIF", "TIFF", "BMP")
register_heif_opener(decode_threads=1)  # photos are decoded side by side instead

# More than `MAX_PIXELS` take in any of these formats; the file is held in memory as a whole.
MAX_PHOTO_BYTES = 2**30

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"

# What Pillow and libheif say when memory runs out, but not when a picture exceeds their limits.
_NO_MEMORY = "out of memory|Memory allocation error: (?!Security)"
# What Pillow says of a file that ends within its rows, or before them.
_ENDS_EARLY = "(?i)truncated|cannot load this image"


@dataclass(frozen=True)
class Photo:
    """A photo as RGB; `truncated`: the file ends early, but has a third of the picture or more."""

    pixels: UInt8[np.ndarray, "height width 3"]
    truncated: bool


def read_photo(path: str | Path) -> Photo:
    """Read a photo as RGB, as a viewer shows it on a white page.

    Its orientation is applied, transparency is laid over white, 16-bit values are scaled (not
    cut) to 8 bits, and an animation gives its first frame. Colour profiles are ignored.

    Raises MediaError of kind missing_file, not_an_image, truncated (less than a third of the
    picture can be decoded), too_large (more than `MAX_PIXELS`, checked before decoding) or
    decode_failed; OSError and MemoryError for what this machine could not do.
    """
    path = require_file(path)
    contents = _contents(path)
    # Pillow's decoders raise a plain MemoryError for a picture that is too wide for them.
    with explain_memory(path, by_decoder=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about metadata, and the size, which is checked here
        try:
            return Photo(_decode(path, contents), truncated=_missing_bytes(contents) > 0)
        except MediaError as error:
            if error.kind != "truncated":
                raise
            try:
                return Photo(_decode_beginning(path, contents), truncated=True)
            except MediaError:
                raise error from None


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


def _decode(
    path: Path, contents: bytes, incomplete: bool = False
) -> UInt8[np.ndarray, "height width 3"]:
    try:
        with Image.open(io.BytesIO(contents), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            image.load()
            if incomplete and _missing_rows(image) > image.height * 2 / 3:
                raise OSError("truncated in the first third of its rows")
            return np.array(_to_rgb(ImageOps.exif_transpose(image)))
    except Image.DecompressionBombError:
        message = f"{path}: more than {MAX_PIXELS} pixels; make it smaller"
        raise MediaError("too_large", message) from None
    except MemoryError:
        raise
    # For a damaged picture decoders raise nearly anything, also struct.error and IndexError.
    except Exception as error:
        if re.search(_NO_MEMORY, str(error)):
            raise MemoryError from error
        if _missing_bytes(contents) or re.search(_ENDS_EARLY, str(error)):
            message = f"{path}: the picture ends early; fetch it again"
            raise MediaError("truncated", message) from error
        if isinstance(error, UnidentifiedImageError):
            message = f"{path}: not a readable {', '.join(FORMATS)} picture"
            raise MediaError("not_an_image", message) from None
        message = f"{path}: {type(error).__name__}: {error}".strip()
        raise MediaError("decode_failed", message) from error


def _decode_beginning(path: Path, contents: bytes) -> UInt8[np.ndarray, "height width 3"]:
    """Decode what there is of a truncated picture; raises MediaError for less than a third."""
    missing = _missing_bytes(contents)
    if missing > 2 * len(contents):
        raise MediaError("truncated", f"{path}: {missing} bytes are missing")
    # Decoders of WebP, AVIF and HEIF need all bytes; zeros spoil only the picture's end.
    end = _JPEG_END if contents.startswith(_JPEG_START) else bytes(missing)
    ImageFile.LOAD_TRUNCATED_IMAGES = True  # of the whole process, which decodes on one thread
    try:
        return _decode(path, contents + end, incomplete=True)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _missing_rows(image: Image.Image) -> int:
    """Count the rows that have only the values that decoders leave where data are missing."""
    values = np.asarray(image).reshape(image.height, -1)
    grey = image.format in ("JPEG", "MPO")
    missing = (values >= 127) & (values <= 129) if grey else values == 0
    return int(missing.all(axis=1).sum())


def _missing_bytes(contents: bytes) -> int:
    """Return how many bytes are missing at the end, of formats that have a mark or length there."""
    if contents.startswith(_JPEG_START):
        return 0 if _JPEG_END in contents else len(_JPEG_END)
    if contents.startswith(b"GIF8"):
        return 0 if contents.rstrip(b"\0\r\n").endswith(b";") else 1
    if contents[12:16] == b"IHDR":
        return 0 if b"IEND\xaeB`\x82" in contents else 12
    end = 0
    if contents.startswith(b"RIFF"):  # WebP
        end = 8 + int.from_bytes(contents[4:8], "little")
    while contents[4:8] == b"ftyp" and end + 8 <= len(contents):  # AVIF and HEIF: boxes
        size = int.from_bytes(contents[end : end + 4])
        if size == 1:
            size = int.from_bytes(contents[end + 8 : end + 16])
        if size < 8:  # 0: up to the end of the file
            break
        end += size
    return max(end - len(contents), 0)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _scale_to_8_bits(image)
    return over_white(image) if image.has_transparency_data else image.convert("RGB")


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ValueError("32-bit grey values without a known white; save the picture with 8 bits")
    # Pillow's own conversion cuts everything above 255 to white.
    scaled = Image.fromarray(((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8))
    if "transparency" in image.info:
        opaque = values != image.info["transparency"]
        scaled.putalpha(Image.fromarray(opaque.astype(np.uint8) * 255))
    return scaled
