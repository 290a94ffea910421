"""A photo without its end keeps what it has; one that is larger than it says is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pipeline.media import MediaError, read_photo

FORMATS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "JPEG": ("JPEG", "RGB", {}),
    "JPEG, progressive": ("JPEG", "RGB", {"progressive": True}),
    "JPEG, grey": ("JPEG", "L", {}),
    "JPEG, CMYK": ("JPEG", "CMYK", {}),
    "PNG": ("PNG", "RGB", {}),
    "PNG, palette": ("PNG", "P", {}),
    "PNG, alpha": ("PNG", "RGBA", {}),
    "GIF": ("GIF", "P", {}),
    "BMP": ("BMP", "RGB", {}),
    "TIFF": ("TIFF", "RGB", {}),
    "WebP": ("WEBP", "RGB", {}),
    "WebP, lossless": ("WEBP", "RGB", {"lossless": True}),
    "AVIF": ("AVIF", "RGB", {}),
    "HEIC": ("HEIF", "RGB", {}),
}


def encoded(format: str, mode: str, options: dict[str, Any]) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2)).convert(mode)
    file = io.BytesIO()
    picture.save(file, format=format, **options)
    return file.getvalue()


def rows_like(photo: np.ndarray, whole: np.ndarray) -> float:
    """Return the share of rows that are nearly the same."""
    differences = np.abs(photo.astype(int) - whole).mean(axis=(1, 2))
    return float((differences < 6).mean())


@pytest.mark.parametrize("colour", ["black", "white"])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF"])
def test_a_photo_that_lacks_only_its_end_mark_is_truncated_and_used(
    tmp_path: Path, format: str, colour: str
) -> None:
    picture, path = Image.new("RGB", (64, 48), colour), tmp_path / "photo"
    picture.save(path, format=format)
    path.write_bytes(path.read_bytes()[:-1])
    photo = read_photo(path)
    assert photo.truncated
    assert np.array_equal(photo.pixels, np.asarray(picture))
    picture.save(path, format=format)
    path.write_bytes(path.read_bytes() + b"\r\n")  # as some servers send it
    assert not read_photo(path).truncated


# Whether an AVIF without its end can be decoded depends on where it is cut.
@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"AVIF"}))
def test_a_photo_without_its_end_keeps_its_picture(tmp_path: Path, name: str) -> None:
    content, path = encoded(*FORMATS[name]), tmp_path / "photo"
    path.write_bytes(content)
    whole = read_photo(path)
    assert not whole.truncated
    for share, least in ((0.999, 0.9), (0.8, 0.5), (0.65, 0.4), (0.5, 0.25)):
        path.write_bytes(content[: int(share * len(content))])
        photo = read_photo(path)
        assert photo.truncated
        assert photo.pixels.shape == whole.pixels.shape
        assert rows_like(photo.pixels, whole.pixels) >= least


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "WebP", "HEIC"])
def test_less_than_a_third_of_a_photo_is_not_used(tmp_path: Path, format: str) -> None:
    content, path = encoded(*FORMATS[format]), tmp_path / "photo"
    path.write_bytes(content[: len(content) // 5])
    with pytest.raises(MediaError, match="ends early; fetch it again") as caught:
        read_photo(path)
    assert caught.value.kind == "truncated"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["HEIF", "AVIF", "JPEG", "WEBP", "PNG"])
def test_an_orientation_is_applied_once(tmp_path: Path, format: str, orientation: int) -> None:
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:24], stored[:, :32] = stored[:24] + 80, stored[:, :32] + 160
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"  # whatever its name says
    Image.fromarray(stored).save(path, format=format, exif=exif.tobytes(), quality=95)
    expected = [stored, stored[:, ::-1], stored[::-1, ::-1], stored[::-1]]
    expected += [
        np.swapaxes(stored, 0, 1)[::a, ::b] for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))
    ]
    shown = read_photo(path).pixels.astype(int)
    assert shown.shape == expected[orientation - 1].shape
    assert np.abs(shown - expected[orientation - 1]).mean() < 4


def test_a_transparent_heic_lies_over_white(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 48), (255, 0, 0, 0)).save(tmp_path / "clear.heic")
    assert (read_photo(tmp_path / "clear.heic").pixels >= 253).all()


def test_a_heic_larger_than_it_states_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.heic"
    Image.new("RGB", (1024, 1024)).save(path)
    size = (1024).to_bytes(4) * 2
    assert size in path.read_bytes()
    for stated, kind in ((64, "decode_failed"), (30_000, "too_large")):
        bomb = tmp_path / f"{stated}.heic"
        bomb.write_bytes(path.read_bytes().replace(size, stated.to_bytes(4) * 2))
        with pytest.raises(MediaError) as caught:
            read_photo(bomb)
        assert caught.value.kind == kind
