from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.media import MediaError, read_photo

SHAPES = {
    "16bit.cropped.tif": (64, 64, 3),
    "cat.jpg": (384, 480, 3),
    "hopper.avif": (128, 128, 3),
    "hopper.gif": (128, 128, 3),
    "hopper.webp": (128, 128, 3),
    "hopper_gray.jpg": (128, 128, 3),
    "hopper_orientation_6.jpg": (128, 128, 3),
    "incidents_fire.jpg": (619, 1100, 3),
    "incidents_flood.jpg": (450, 800, 3),
    "incidents_ship.jpg": (283, 424, 3),
    "mode_16bit.png": (64, 128, 3),
    "pil_sample_cmyk.jpg": (100, 100, 3),
    "transparent.webp": (150, 200, 3),
    "truncated_image.png": (480, 640, 3),
    "truncated_jpeg.jpg": (100, 100, 3),
}
ERRORS = {"broken.png": "not_an_image", "decompression_bomb.gif": "too_large"}


def test_every_real_picture_has_an_expected_outcome(shared_data: Path) -> None:
    names = {path.name for path in (shared_data / "media" / "image").iterdir()}
    assert names == SHAPES.keys() | ERRORS.keys()


@pytest.mark.parametrize(("name", "shape"), SHAPES.items())
def test_real_pictures_become_rgb(shared_data: Path, name: str, shape: tuple[int, ...]) -> None:
    photo = read_photo(shared_data / "media" / "image" / name)
    assert photo.pixels.shape == shape
    assert photo.pixels.dtype == np.uint8
    assert photo.truncated == name.startswith("truncated")


@pytest.mark.parametrize(("name", "kind"), ERRORS.items())
def test_broken_pictures_are_named_by_kind(shared_data: Path, name: str, kind: str) -> None:
    with pytest.raises(MediaError, match=name) as caught:
        read_photo(shared_data / "media" / "image" / name)
    assert caught.value.kind == kind


def test_the_same_picture_is_the_same_in_every_format(shared_data: Path) -> None:
    folder = shared_data / "media" / "image"
    reference = read_photo(folder / "hopper.webp").pixels.astype(int)
    for name in ("hopper.avif", "hopper.gif", "hopper_orientation_6.jpg"):
        assert np.abs(read_photo(folder / name).pixels - reference).mean() < 12, name


@pytest.mark.parametrize("name", ["nothing.jpg", ""])
def test_a_missing_file_or_a_folder_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(MediaError) as caught:
        read_photo(tmp_path / name)
    assert caught.value.kind == "missing_file"


@pytest.mark.parametrize("content", [b"", b"just text", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox"])
def test_what_is_no_photo_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(MediaError) as caught:
        read_photo(path)
    assert caught.value.kind == "not_an_image"


def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path) -> None:
    values = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    for name in ("grey.png", "grey.tif"):
        Image.fromarray(values).save(tmp_path / name)
        assert read_photo(tmp_path / name).pixels[0, :, 0].tolist() == [0, 1, 1, 128, 255]


def test_a_transparent_16_bit_value_lies_over_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 257, 65535]], np.uint16))
    image.save(tmp_path / "grey.png", transparency=257)
    assert read_photo(tmp_path / "grey.png").pixels[0, :, 0].tolist() == [0, 255, 255]


def test_floating_point_pictures_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(MediaError, match="8 bits") as caught:
        read_photo(tmp_path / "float.tif")
    assert caught.value.kind == "decode_failed"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_lies_over_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.putpixel((1, 2), (0, 0, 0, 255))
    image.putpixel((2, 2), (0, 0, 0, 128))
    image.convert(mode).save(tmp_path / "clear.tif" if mode == "PA" else tmp_path / "clear.png")
    photo = read_photo(tmp_path / ("clear.tif" if mode == "PA" else "clear.png")).pixels
    assert photo[0, 0].tolist() == [255, 255, 255]
    assert photo[2, 1].tolist() == [0, 0, 0]
    assert photo[2, 2].tolist() == [127, 127, 127]


def test_a_transparent_palette_colour_lies_over_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "palette.gif", transparency=0)
    assert read_photo(tmp_path / "palette.gif").pixels.tolist() == [[[255, 255, 255], [200, 0, 0]]]


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for name in ("moving.gif", "moving.webp", "moving.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **_lossless(name))
        assert read_photo(tmp_path / name).pixels[0, 0].tolist() == [255, 0, 0]


def _lossless(name: str) -> dict[str, bool]:
    return {"lossless": True} if name.endswith("webp") else {}
