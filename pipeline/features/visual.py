"""Photos and clips through Inception V3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.extractors.inception import InceptionV3
from pipeline.features.recipe import FILE, Decoded, Identity, Item, Network, identity
from pipeline.media import read_photo, sample_frames
from pipeline.runtime import device


@dataclass(frozen=True)
class VisualRecipe:
    """A photo, or `frames` frames of a clip, through Inception V3: [1 or frames, 2048]."""

    weights: Path
    size: int
    frames: int | None = None
    precision: str = "float32"
    modality: ClassVar[str] = "visual"
    batch: ClassVar[int] = 1
    gpu: ClassVar[bool] = True

    @property
    def dim(self) -> int:
        """See Recipe."""
        return InceptionV3.dim

    def identity(self) -> Identity:
        """See Recipe."""
        # Feature files hold these in this order.
        kind = "photo" if self.frames is None else "clip"
        frames: Identity = {} if self.frames is None else {"frames": self.frames}
        parameters: Identity = {
            "reader": kind,
            "size": self.size,
            **frames,
            "precision": self.precision,
        }
        return identity(InceptionV3.version, self.weights, **parameters)

    def read(self, item: Item) -> Decoded:
        """See Recipe."""
        if self.frames is None:
            photo = read_photo(item.file)
            pictures, truncated = self._prepare(photo.pixels)[None], photo.truncated
        else:
            clip = sample_frames(item.file, self.frames, item.start, item.end, self._prepare)
            pictures, truncated = clip.frames, clip.truncated
        failure = ("truncated", f"{FILE}: damaged or cut off; what can be decoded of it is used")
        return Decoded(pictures, failure if truncated else None)

    def network(self) -> Network:
        """See Recipe."""
        network = InceptionV3.from_file(self.weights, device(), self.precision)
        return lambda inputs: [network.features(pictures, size=self.size) for pictures in inputs]

    def _prepare(self, picture: np.ndarray) -> np.ndarray:
        # For a clip, while it is decoded, so that 40 large pictures are never held together.
        return InceptionV3.prepare(picture[None], self.size)[0]
