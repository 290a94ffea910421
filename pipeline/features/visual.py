"""Photos and clips through Inception V3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.extractors.inception import InceptionV3
from pipeline.features.recipe import FILE, Identity, Item, Network, Read, Reader, identity
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
    gpu: ClassVar[bool] = True

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

    def reader(self) -> Reader:
        """See Recipe."""
        return lambda item: Read(InceptionV3.prepare(read_photo(item.file)[None], self.size))

    def network(self) -> Network:
        """See Recipe."""
        return _inception(self.weights, self.size, self.precision)


@dataclass(frozen=True)
class ClipRecipe:
    """Uniformly sampled frames of a clip through Inception V3: [frames, 2048]."""

    weights: Path
    frames: int
    size: int
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
        return identity(
            InceptionV3.version,
            self.weights,
            reader="clip",
            size=self.size,
            frames=self.frames,
            precision=self.precision,
        )

    def reader(self) -> Reader:
        """See Recipe."""

        # Pictures are shrunk as they are decoded: 40 large ones are never held together.
        def shrink(picture: np.ndarray) -> np.ndarray:
            return InceptionV3.prepare(picture[None], self.size)[0]

        def read(item: Item) -> Read:
            clip = sample_frames(item.file, self.frames, item.start, item.end, shrink)
            fault = ("truncated", f"{FILE}: damaged or cut off; what it has of frames is used")
            return Read(clip.frames, fault if clip.truncated else None)

        return read

    def network(self) -> Network:
        """See Recipe."""
        return _inception(self.weights, self.size, self.precision)


def _inception(weights: Path, size: int, precision: str) -> Network:
    network = InceptionV3.from_file(weights, device(), precision)
    return lambda inputs: [network.features(pictures, size=size) for pictures in inputs]
