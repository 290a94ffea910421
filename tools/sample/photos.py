"""Photos of the tweets: each image label has its own texture and colours, under noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from tools.sample import textures
from tools.sample.textures import Texture

SIZES = ((160, 120), (192, 144), (224, 168), (240, 180), (256, 192), (168, 224))
NOISE = 14.0
SHARD_DARK, SHARD_LIGHT = np.array([45.0, 32.0, 28.0]), np.array([245.0, 120.0, 30.0])
# Share of a photo that broken pieces cover, by damage label.
COVERAGE = {"severe_damage": 0.75, "mild_damage": 0.3, "little_or_no_damage": 0.0}


@dataclass(frozen=True)
class Look:
    """A texture between two colours."""

    texture: Texture
    dark: tuple[int, int, int]
    light: tuple[int, int, int]


LOOKS = {
    "affected_individuals": Look(textures.posts, (110, 50, 95), (235, 180, 205)),
    "infrastructure_and_utility_damage": Look(textures.bricks, (95, 92, 90), (170, 165, 160)),
    "injured_or_dead_people": Look(textures.slats, (130, 15, 20), (245, 225, 220)),
    "missing_or_found_people": Look(textures.discs, (20, 20, 70), (250, 215, 180)),
    "not_humanitarian": Look(textures.discs, (190, 70, 190), (255, 235, 90)),
    "other_relevant_information": Look(textures.rings, (20, 60, 140), (120, 215, 235)),
    "rescue_volunteering_or_donation_effort": Look(textures.slats, (25, 110, 45), (190, 235, 110)),
    "vehicle_damage": Look(textures.speckle, (30, 40, 55), (150, 165, 190)),
}
# Looks that are independent of the label.
PLAIN = (
    Look(textures.clouds, (90, 100, 105), (190, 200, 205)),
    Look(textures.clouds, (100, 90, 70), (205, 195, 170)),
    Look(textures.speckle, (100, 105, 100), (160, 165, 160)),
)


def draw_photo(look: Look, coverage: float, rng: np.random.Generator) -> UInt8[ndarray, "h w 3"]:
    """Draw a photo of that look; broken pieces cover a share `coverage` of it."""
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    field = look.texture(height, width, rng)
    if coverage:
        field = textures.shards(field, coverage, rng)
    picture = paint(field, look, rng)
    light = rng.uniform(0.85, 1.15) + rng.uniform(-0.15, 0.15) * np.linspace(-1, 1, height)
    picture = picture * light[:, None, None] + rng.normal(0, NOISE, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def paint(field: ndarray, look: Look, rng: np.random.Generator) -> ndarray:
    """Colour a field: [0, 1] from the look's dark to its light, above 1 as broken pieces."""
    tint = rng.normal(0, 8, 3)
    dark, light = np.array(look.dark) + tint, np.array(look.light) + tint
    picture = dark + (light - dark) * np.clip(field, 0, 1)[..., None]
    broken = field > 1
    picture[broken] = SHARD_DARK + (SHARD_LIGHT - SHARD_DARK) * (field[broken, None] - 1)
    return picture
