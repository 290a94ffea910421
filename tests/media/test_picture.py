"""Frames look as a player shows them, whatever the header says about matrix, pixels and alpha."""

from __future__ import annotations

import struct
from fractions import Fraction
from math import cos, radians, sin
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.media import sample_frames

ONE = 1 << 16
SYMMETRIES = {
    "none": (1, 0, 0, 1),
    "a quarter turn": (0, 1, -1, 0),
    "a half turn": (-1, 0, 0, -1),
    "three quarter turns": (0, -1, 1, 0),
    "left to right": (-1, 0, 0, 1),
    "top to bottom": (1, 0, 0, -1),
    "a transposition": (0, 1, 1, 0),
    "the other transposition": (0, -1, -1, 0),
}
Matrix = tuple[float, float, float, float]


def write_film(
    path: Path,
    pictures: list[np.ndarray],
    codec: str = "libx264",
    pix_fmt: str = "yuv444p",
    pixel: Fraction | None = None,
    **options: str,
) -> Path:
    """Write pictures of 8-bit RGB or RGBA, ten a second, with pixels of the ratio `pixel`."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream(codec, rate=10, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if pixel:
            stream.codec_context.sample_aspect_ratio = pixel
        for picture in pictures:
            format = "rgba" if picture.shape[2] == 4 else "rgb24"
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format=format)))
        film.mux(stream.encode())
    return path


def set_matrix(path: Path, matrix: Matrix) -> None:
    """Write [a b; c d] into an MP4's track header."""
    a, b, c, d = (round(value * ONE) for value in matrix)
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 44
    struct.pack_into(">9i", content, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def transformed(picture: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    """Move each pixel (x, y) to (a x + c y, b x + d y)."""
    a, b, c, d = matrix
    y, x = np.indices(picture.shape[:2])
    across, down = a * x + c * y, b * x + d * y
    across, down = across - across.min(), down - down.min()
    moved = np.zeros((down.max() + 1, across.max() + 1, 3), np.uint8)
    moved[down, across] = picture
    return moved


def four_corners() -> np.ndarray:
    picture = np.zeros((48, 64, 3), np.uint8)
    for number, corner in enumerate(np.ndindex(2, 2)):
        rows, columns = slice(24 * corner[0], None), slice(32 * corner[1], None)
        picture[rows, columns] = 40 + 60 * number
    return picture


@pytest.fixture
def corners(tmp_path: Path) -> Path:
    return write_film(tmp_path / "corners.mp4", [four_corners()], crf="1")


def assert_looks(path: Path, expected: np.ndarray) -> None:
    frame = sample_frames(path, 1).frames[0]
    assert frame.shape == expected.shape
    assert np.abs(frame.astype(int) - expected).mean() < 2


@pytest.mark.parametrize("matrix", SYMMETRIES.values(), ids=SYMMETRIES)
def test_every_symmetry_of_the_square_is_shown(corners: Path, matrix: Matrix) -> None:
    set_matrix(corners, matrix)
    assert_looks(corners, transformed(four_corners(), matrix))


@pytest.mark.parametrize("matrix", [(0, 0, 0, 0), (1, 1, 1, 1), (1, 0, 0, 0)])
def test_a_matrix_that_cannot_be_inverted_is_none(corners: Path, matrix: Matrix) -> None:
    set_matrix(corners, matrix)
    assert_looks(corners, four_corners())


@pytest.mark.parametrize("matrix", SYMMETRIES.values(), ids=SYMMETRIES)
@pytest.mark.parametrize("degrees", [-30, 3])
def test_an_odd_angle_is_the_nearest_right_one(
    corners: Path, matrix: Matrix, degrees: float
) -> None:
    turn = np.array([[cos(radians(degrees)), sin(radians(degrees))]])
    turn = np.vstack([turn, [[-turn[0, 1], turn[0, 0]]]])
    set_matrix(corners, tuple((np.reshape(matrix, (2, 2)) @ turn).ravel().tolist()))
    assert_looks(corners, transformed(four_corners(), matrix))


@pytest.mark.parametrize(
    ("name", "matrix"),
    [("plain", "none"), ("zero", "none"), ("hflip", "left to right"), ("vflip", "top to bottom")],
)
def test_given_clips_are_mirrored_as_their_matrix_says(
    shared_data: Path, name: str, matrix: str
) -> None:
    folder = shared_data / "faults" / "mirror"
    with av.open(str(folder / "plain.mp4")) as film:
        stored = next(film.decode(video=0)).to_ndarray(format="rgb24")
    assert_looks(folder / f"{name}.mp4", transformed(stored, SYMMETRIES[matrix]))


def disc(width: int, height: int, pixel: Fraction) -> np.ndarray:
    """Draw a circle as it is stored where pixels are `pixel` times as wide as high."""
    image = Image.new("RGB", (width, height))
    ImageDraw.Draw(image).ellipse(
        (width // 2 - 40 / pixel, height // 2 - 40, width // 2 + 40 / pixel, height // 2 + 40),
        fill="white",
    )
    return np.asarray(image)


def extent(frame: np.ndarray) -> tuple[int, int]:
    bright = frame[..., 0] > 128
    return int(bright.any(axis=0).sum()), int(bright.any(axis=1).sum())


@pytest.mark.parametrize("matrix", ["none", "a quarter turn", "the other transposition"])
@pytest.mark.parametrize("pixel", [Fraction(64, 45), Fraction(12, 11), Fraction(1, 2)])
def test_a_circle_of_stretched_pixels_is_round(
    tmp_path: Path, pixel: Fraction, matrix: str
) -> None:
    pictures = [disc(240, 120, pixel)]
    path = write_film(tmp_path / "wide.mp4", pictures, "libx264", "yuv420p", pixel, crf="1")
    set_matrix(path, SYMMETRIES[matrix])
    across, down = extent(sample_frames(path, 1).frames[0])
    assert abs(across - down) <= 3


def test_the_given_circle_is_round(shared_data: Path) -> None:
    clip = sample_frames(shared_data / "faults" / "mirror" / "pal_wide.mp4", 2)
    assert clip.frames.shape == (2, 576, 1024, 3)
    across, down = extent(clip.frames[1])
    assert abs(across - down) <= 3


ABSURD = [(0, 1), (1, 0), (9, 1), (1, 1000), (2**31 - 1, 1)]


@pytest.mark.parametrize(
    ("ratio", "shape"), [((1, 2), (96, 64)), *((ratio, (48, 64)) for ratio in ABSURD)]
)
def test_the_containers_aspect_ratio_counts_unless_it_is_absurd(
    tmp_path: Path, ratio: tuple[int, int], shape: tuple[int, int]
) -> None:
    path = write_film(tmp_path / "a.mp4", [four_corners()], pixel=Fraction(1))
    content = bytearray(path.read_bytes())
    struct.pack_into(">2I", content, content.index(b"pasp") + 4, *ratio)
    path.write_bytes(content)
    assert sample_frames(path, 1).frames.shape[1:3] == shape


ALPHA = {
    "quicktime.mov": ("qtrle", "argb"),
    "png.mov": ("png", "rgba"),
    "prores.mov": ("prores_ks", "yuva444p10le"),
    "vp8.webm": ("libvpx", "yuva420p"),
    "vp9.webm": ("libvpx-vp9", "yuva420p"),
    "lossless.mkv": ("ffv1", "yuva420p"),
}


def veil() -> np.ndarray:
    """Red, opaque at the left, half and fully transparent towards the right."""
    picture = np.zeros((48, 96, 4), np.uint8)
    picture[..., 0] = 255
    picture[..., 3] = np.repeat([255, 128, 0], 32)
    return picture


@pytest.mark.parametrize(("name", "codec"), ALPHA.items(), ids=ALPHA)
def test_transparency_lies_over_white(tmp_path: Path, name: str, codec: tuple[str, str]) -> None:
    options = {"auto-alt-ref": "0"} if name == "vp8.webm" else {}
    path = write_film(tmp_path / name, [veil()] * 3, *codec, **options)
    clip = sample_frames(path, 3)
    assert not clip.truncated
    for frame in clip.frames.astype(int):
        for column, colour in ((8, (255, 0, 0)), (48, (255, 127, 127)), (88, (255, 255, 255))):
            assert np.abs(frame[24, column] - colour).max() <= 5


def test_the_given_transparent_clip_is_white(shared_data: Path) -> None:
    frames = sample_frames(shared_data / "faults" / "mirror" / "alpha.mov", 2).frames
    assert (frames == 255).all()
