"""Photos and clips through Inception V3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.extractors.inception import InceptionV3
from pipeline.features.entry import Entry
from pipeline.features.recipe import FILE, Extract, Identity, Item, identity, one_by_one
from pipeline.media.image import read_photo
from pipeline.media.video import sample_frames
from pipeline.runtime import device


@dataclass(frozen=True)
class PhotoRecipe:
    """One photo through Inception V3: [1, 2048]."""

    weights: Path
    size: int
    precision: str = "float32"
    modality: ClassVar[str] = "visual"
    batch: ClassVar[int] = 1

    @property
    def dim(self) -> int:
        """See Recipe."""
        return InceptionV3.dim

    def identity(self) -> Identity:
        """See Recipe."""
        return identity(
            InceptionV3.version,
            self.weights,
            reader="photo",
            size=self.size,
            precision=self.precision,
        )

    def open(self) -> Extract:
        """See Recipe."""
        network = InceptionV3.from_file(self.weights, device(), self.precision)
        return one_by_one(
            lambda item: Entry(network.features(read_photo(item.file)[None], size=self.size))
        )


@dataclass(frozen=True)
class ClipRecipe:
    """Uniformly sampled frames of a clip through Inception V3: [frames, 2048]."""

    weights: Path
    frames: int
    size: int
    precision: str = "float32"
    modality: ClassVar[str] = "visual"
    batch: ClassVar[int] = 1

    @property
    def dim(self) -> int:
        """See Recipe."""
        return InceptionV3.dim

    def identity(self) -> Identity:
        """See Recipe."""
        return identity(
            InceptionV3.version,
            self.weights,
            reader="clip",
            size=self.size,
            frames=self.frames,
            precision=self.precision,
        )

    def open(self) -> Extract:
        """See Recipe."""
        network = InceptionV3.from_file(self.weights, device(), self.precision)

        # Pictures are shrunk as they are decoded: 40 large ones are never held together.
        def shrink(picture: np.ndarray) -> np.ndarray:
            return network.prepare(picture[None], self.size)[0]

        def extract(item: Item) -> Entry:
            clip = sample_frames(item.file, self.frames, item.start, item.end, shrink)
            fault = ("truncated", f"{FILE}: damaged or cut off; what it has of frames is used")
            features = network.features(clip.frames, size=self.size)
            return Entry(features, fault if clip.truncated else None)

        return one_by_one(extract)
