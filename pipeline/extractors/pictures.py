"""How networks of today take pictures: resized, cut to a square, and normalised."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch import Tensor

from pipeline.extractors.device import exact_convolutions
from pipeline.extractors.encoder import Run

# A picture longer than this many times its shorter side is cut to its middle before it is resized:
# memory grows with the length. The centre crop keeps only the middle in any case.
MAX_RATIO = 16

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Preparation:
    """A picture's way into a network whose input is `side` pixels wide and high.

    `fit` says what becomes `resized` pixels long: the picture's shorter side, or both sides. The
    middle is then cut out; `half` says where it begins if an odd number of pixels is cut off.
    `mean` and `deviation` are those of values from 0 to 1.
    """

    side: int
    resized: int
    fit: Literal["shorter", "both"]
    interpolation: Image.Resampling
    mean: RGB
    deviation: RGB
    half: Literal["down", "even"] = "down"

    def __post_init__(self) -> None:
        if not 0 < self.side <= self.resized:
            raise ValueError(
                f"pictures are resized to {self.resized} pixels and cut to {self.side}; the second "
                "must not be the larger"
            )
        if not min(self.deviation) > 0:
            raise ValueError(f"the deviation of a colour is {min(self.deviation)}, not above 0")

    def square(
        self, picture: UInt8[np.ndarray, "height width 3"]
    ) -> UInt8[np.ndarray, "side side 3"]:
        """Resize with Pillow and cut out the middle."""
        if self.fit == "shorter":
            picture = without_long_ends(picture)
        height, width = self._resized_to(*picture.shape[:2])
        resized = Image.fromarray(picture).resize((width, height), self.interpolation)
        top, left = self._offset(height), self._offset(width)
        return np.array(resized.crop((left, top, left + self.side, top + self.side)))

    def normalise(
        self, pictures: UInt8[Tensor, "n side side 3"]
    ) -> Float32[Tensor, "n 3 side side"]:
        """Scale 0..255 to the network's values; the result is in the channels-last layout."""
        mean, deviation = (
            torch.tensor(c, device=pictures.device) for c in (self.mean, self.deviation)
        )
        # One division a value, as the libraries' own: rounding differs by one bit at most.
        return pictures.float().div_(255).sub_(mean).div_(deviation).permute(0, 3, 1, 2)

    def _resized_to(self, height: int, width: int) -> tuple[int, int]:
        if self.fit == "both":
            return self.resized, self.resized
        shorter, longer = sorted((height, width))
        longer = int(self.resized * longer / shorter)
        return (self.resized, longer) if height <= width else (longer, self.resized)

    def _offset(self, length: int) -> int:
        middle = (length - self.side) / 2
        return round(middle) if self.half == "even" else math.floor(middle)


def run_on_pictures(
    network: Callable[[Tensor], Tensor], preparation: Preparation, device: str, kind: torch.dtype
) -> Run:
    """Return the run of a network on normalised pictures of `kind`; each input is a batch."""

    @torch.inference_mode()
    def vectors(pictures: UInt8[np.ndarray, "n side side 3"]) -> Float32[np.ndarray, "n dim"]:
        values = preparation.normalise(torch.from_numpy(pictures).to(device)).to(kind)
        with exact_convolutions():
            return network(values).float().cpu().numpy()

    return lambda inputs: [vectors(pictures) for pictures in inputs]


def without_long_ends(
    picture: UInt8[np.ndarray, "*n height width 3"],
) -> UInt8[np.ndarray, "*n shorter longer 3"]:
    """Cut the ends off a picture, or pictures, of more than `MAX_RATIO` times its shorter side."""
    height, width = picture.shape[-3:-1]
    limit = MAX_RATIO * min(height, width)
    top, left = max(height - limit, 0) // 2, max(width - limit, 0) // 2
    return picture[..., top : top + limit, left : left + limit, :]
