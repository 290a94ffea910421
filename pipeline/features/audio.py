"""Soundtracks through SoundNet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pipeline.extractors.soundnet import LAYERS, SoundNet
from pipeline.features.entry import Entry
from pipeline.features.recipe import FILE, Extract, Identity, Item, identity, one_by_one
from pipeline.media.audio import read_waveform


@dataclass(frozen=True)
class AudioRecipe:
    """A waveform through SoundNet: [steps, channels]."""

    weights: Path
    layer: str
    modality: ClassVar[str] = "audio"
    batch: ClassVar[int] = 1

    @property
    def dim(self) -> int:
        """See Recipe."""
        return LAYERS[self.layer]

    def identity(self) -> Identity:
        """See Recipe."""
        return identity(SoundNet.version, self.weights, layer=self.layer)

    def open(self) -> Extract:
        """See Recipe."""
        network = SoundNet.from_file(self.weights)

        def extract(item: Item) -> Entry:
            sound = read_waveform(item.file, start=item.start, end=item.end)
            fault = ("truncated", f"{FILE}: damaged or cut off; what it has of sound is used")
            features = network.features(sound.samples, layer=self.layer)
            return Entry(features, fault if sound.truncated else None)

        return one_by_one(extract)
