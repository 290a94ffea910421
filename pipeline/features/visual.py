"""Photos and clips through an encoder of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from pipeline.extractors.encoder import Encoder, Identity
from pipeline.features.recipe import FILE, Decoded, Failure, Item, Recipe
from pipeline.media import MediaError, read_photo, sample_frames

# How a set's items are read: all as photos, all as clips, or each as its `form` says.
Reader = Literal["photo", "clip", "post"]


@dataclass(frozen=True)
class VisualRecipe(Recipe):
    """Photos, or `frames` frames of a clip, through an encoder: [photos or frames, dim].

    Without a `reader` the recipe is that of clips, or of photos if `frames` is None.
    """

    encoder: Encoder
    frames: int | None = None
    reader: Reader | None = None
    modality: ClassVar[str] = "visual"

    def identity(self) -> Identity:
        """See Recipe."""
        # Feature files hold these in this order.
        return {**self.encoder.identity(), **self._reading(self.reader or self._form)}

    def item_identity(self, identity: Identity, item: Item) -> Identity:
        """See Recipe; an animation can be a photo of one post and the clip of another."""
        encoder = {key: identity[key] for key in identity if key not in ("reader", "frames")}
        return {**encoder, **self._reading(item.form or self._form)}

    def read(self, item: Item) -> Decoded:
        """See Recipe; what can be read of several photos is used."""
        return self._photos(item) if (item.form or self._form) == "photo" else self._clip(item)

    @property
    def _form(self) -> Literal["photo", "clip"]:
        """How an item without a form is read."""
        return "photo" if self.frames is None else "clip"

    def _reading(self, reader: Reader) -> Identity:
        if reader == "photo" or self.frames is None:
            return {"reader": reader}
        return {"reader": reader, "frames": self.frames}

    def _photos(self, item: Item) -> Decoded:
        pictures, failures = list[np.ndarray](), list[Failure]()
        for path in item.paths:
            try:
                photo = read_photo(path)
            except MediaError as error:
                if error.kind == "missing_file" or len(item.paths) == 1:
                    raise
                failures.append((error.kind, item.without_paths(str(error))))
            else:
                pictures.append(self.encoder.prepare(photo.pixels))
                failures += [_truncated(item.without_paths(str(path)))] if photo.truncated else []
        # A sample has one failure a modality: the first kind, with the messages of all.
        messages = "; ".join(message for _, message in failures)
        failure = (failures[0][0], messages) if failures else None
        return Decoded(np.stack(pictures) if pictures else None, failure)

    def _clip(self, item: Item) -> Decoded:
        if self.frames is None:
            raise ValueError(f"{item.id}: the recipe is one of photos, and {item.path} is a clip")
        # Prepared while it is decoded, so that 40 large pictures are never held together.
        prepare = self.encoder.prepare
        clip = sample_frames(item.file, self.frames, item.start, item.end, prepare)
        return Decoded(clip.frames, _truncated(FILE) if clip.truncated else None)


def _truncated(file: str) -> Failure:
    return "truncated", f"{file}: damaged or cut off; what can be decoded of it is used"
