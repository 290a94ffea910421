"""Textures: fields [height, width] in [0, 1], each like one kind of surface."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

Texture = Callable[[int, int, np.random.Generator], Float[ndarray, "h w"]]


def _grid(height: int, width: int) -> tuple[ndarray, ndarray]:
    # One unit is the height, so a texture looks the same at every size of photo.
    y, x = np.mgrid[:height, :width].astype(np.float32) / height
    return y, x


def bricks(height: int, width: int, rng: np.random.Generator) -> Float[ndarray, "h w"]:
    """Rows of windows, as on a house front."""
    y, x = _grid(height, width)
    n, shift = rng.uniform(7, 9), rng.random(2)
    return ((y * n + shift[0]) % 1 < 0.6) * ((x * n + shift[1]) % 1 < 0.6) * 1.0


def waves(height: int, width: int, rng: np.random.Generator) -> Float[ndarray, "h w"]:
    """Horizontal waves, as on water."""
    y, x = _grid(height, width)
    bend = 0.02 * np.sin(2 * np.pi * (rng.uniform(2, 4) * x + rng.random()))
    return 0.5 + 0.5 * np.sin(2 * np.pi * (rng.uniform(10, 13) * (y + bend) + rng.random()))


def slats(height: int, width: int, rng: np.random.Generator) -> Float[ndarray, "h w"]:
    """Diagonal bars, as on barriers."""
    y, x = _grid(height, width)
    n = rng.uniform(5, 7)
    return ((x + y) * n + rng.random()) % 1


def posts(height: int, width: int, rng: np.random.Generator) -> Float[ndarray, "h w"]:
    """Upright stripes, as of people far away."""
    y, x = _grid(height, width)
    sway = 0.01 * np.sin(2 * np.pi * (3 * y + rng.random()))
    return 0.5 + 0.5 * np.sin(2 * np.pi * (rng.uniform(14, 18) * (x + sway) + rng.random()))


def discs(height: int, width: int, rng: np.random.Generator) -> Float[ndarray, "h w"]:
    """Round patches on a lattice, as of faces or lights."""
    y, x = _grid(height, width)
    n, shift = rng.uniform(5, 7), rng.random(2)
    rows, columns = (y * n + shift[0]) % 1 - 0.5, (x * n + shift[1]) % 1 - 0.5
    return np.clip(1.4 - 4 * np.hypot(rows, columns), 0, 1)


def clouds(height: int, width: int, rng: np.random.Generator) -> Float[ndarray, "h w"]:
    """Soft patches, as of smoke or sky."""
    y, x = _grid(height, width)
    field = np.zeros((height, width), np.float32)
    for scale in (1.0, 2.0, 3.0, 5.0):
        a, b, phase = *rng.normal(0, scale, 2), rng.random()
        field += np.sin(2 * np.pi * (a * x + b * y + phase)) / scale
    return (field - field.min()) / max(float(np.ptp(field)), 1e-6)


def rings(height: int, width: int, rng: np.random.Generator) -> Float[ndarray, "h w"]:
    """Circles around one point, as on a weather map."""
    y, x = _grid(height, width)
    middle = rng.uniform(0.3, 0.9, 2)
    distance = np.hypot(y - middle[0], x - middle[1])
    return 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(8, 10) * distance)


def speckle(height: int, width: int, rng: np.random.Generator) -> Float[ndarray, "h w"]:
    """Coarse grains, as of gravel."""
    cells = rng.random((height // 5 + 1, width // 5 + 1))
    return np.kron(cells, np.ones((5, 5)))[:height, :width]


def shards(
    field: Float[ndarray, "h w"], coverage: float, rng: np.random.Generator
) -> Float[ndarray, "h w"]:
    """Cover about a share `coverage` of the field with broken pieces (values above 1 mark them)."""
    height, width = field.shape
    y, x = np.mgrid[:height, :width] / height
    n = rng.uniform(8, 10)
    # Skewed cells look broken; upright ones would look like a wall.
    rows, columns = np.floor(n * (y + 0.45 * x)), np.floor(n * (x - 0.6 * y))
    seeds = rng.random((64, 64))
    drawn = seeds[rows.astype(int) % 64, columns.astype(int) % 64]
    return np.where(drawn < coverage, 1.0 + drawn / max(coverage, 1e-6), field)


def shards_of_gravel(height: int, width: int, rng: np.random.Generator) -> Float[ndarray, "h w"]:
    """Broken pieces on gravel, as of a fallen house."""
    return shards(speckle(height, width, rng), 0.5, rng)
