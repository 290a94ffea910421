"""Photos and clips through an encoder of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pipeline.extractors.encoder import Encoder, Identity
from pipeline.features.recipe import FILE, Decoded, Encoded, Item
from pipeline.media import read_photo, sample_frames


@dataclass(frozen=True)
class VisualRecipe(Encoded):
    """A photo, or `frames` frames of a clip, through an encoder: [1 or frames, dim]."""

    encoder: Encoder
    frames: int | None = None
    modality: ClassVar[str] = "visual"

    def identity(self) -> Identity:
        """See Recipe."""
        # Feature files hold these in this order.
        kind = "photo" if self.frames is None else "clip"
        frames: Identity = {} if self.frames is None else {"frames": self.frames}
        return {**self.encoder.identity(), "reader": kind, **frames}

    def read(self, item: Item) -> Decoded:
        """See Recipe."""
        prepare = self.encoder.prepare
        if self.frames is None:
            photo = read_photo(item.file)
            pictures, truncated = prepare(photo.pixels)[None], photo.truncated
        else:
            # Prepared while it is decoded, so that 40 large pictures are never held together.
            clip = sample_frames(item.file, self.frames, item.start, item.end, prepare)
            pictures, truncated = clip.frames, clip.truncated
        failure = ("truncated", f"{FILE}: damaged or cut off; what can be decoded of it is used")
        return Decoded(pictures, failure if truncated else None)
