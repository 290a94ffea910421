"""Pictures of the clips: each visual cue is a kind of moving scene."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from tools.sample import textures
from tools.sample.photos import Look, paint

SCENES = {
    "crowd": Look(textures.posts, (150, 25, 60), (250, 190, 60)),
    "water": Look(textures.waves, (15, 60, 120), (110, 190, 235)),
    "ruin": Look(textures.shards_of_gravel, (40, 38, 36), (235, 225, 215)),
    "parcels": Look(textures.bricks, (25, 110, 45), (225, 245, 150)),
}
# A street on an ordinary day: the scene of a clip without a visual cue.
STREET = Look(textures.clouds, (105, 108, 110), (165, 168, 165))
NOISE = 6
# A scene moves across a picture that is larger than the frame by this factor.
MARGIN = 1.25


def draw_frames(
    cues: Sequence[str], frames: int, width: int, height: int, rng: np.random.Generator
) -> Iterator[UInt8[ndarray, "h w 3"]]:
    """Draw a clip frame by frame: one shot for each cue in any order, or the street for none."""
    looks = [SCENES[cue] for cue in cues]
    shots = [looks[i] for i in rng.permutation(len(looks))] or [STREET]
    ends = np.linspace(0, frames, len(shots) + 1).round().astype(int)
    for look, first, end in zip(shots, ends, ends[1:], strict=False):
        yield from _shot(look, int(end - first), width, height, rng)


def _shot(
    look: Look, frames: int, width: int, height: int, rng: np.random.Generator
) -> Iterator[UInt8[ndarray, "h w 3"]]:
    """Move the camera along a straight line over one large picture."""
    large = (int(height * MARGIN), int(width * MARGIN))
    picture = paint(look.texture(*large, rng), look, rng) * rng.uniform(0.95, 1.05)
    ends = rng.random((2, 2)) * (large[0] - height, large[1] - width)
    for t in np.linspace(0, 1, max(frames, 1))[:frames]:
        y, x = (ends[0] + t * (ends[1] - ends[0])).astype(int)
        view = picture[y : y + height, x : x + width]
        grain = rng.integers(-NOISE, NOISE + 1, (height, width, 1), dtype=np.int16)
        yield np.clip(view + grain, 0, 255).astype(np.uint8)
