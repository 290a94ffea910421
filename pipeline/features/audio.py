"""Soundtracks through SoundNet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pipeline.extractors.soundnet import LAYERS, SoundNet
from pipeline.features.recipe import FILE, Decoded, Identity, Item, Network, identity
from pipeline.media import read_waveform


@dataclass(frozen=True)
class AudioRecipe:
    """A waveform through SoundNet: [steps, channels]."""

    weights: Path
    layer: str
    modality: ClassVar[str] = "audio"
    batch: ClassVar[int] = 1
    gpu: ClassVar[bool] = False  # reading takes a third of the time: little to gain

    @property
    def dim(self) -> int:
        """See Recipe."""
        return LAYERS[self.layer]

    def identity(self) -> Identity:
        """See Recipe."""
        return identity(SoundNet.version, self.weights, layer=self.layer)

    def read(self, item: Item) -> Decoded:
        """See Recipe."""
        sound = read_waveform(item.file, start=item.start, end=item.end)
        failure = ("truncated", f"{FILE}: damaged or cut off; what it has of sound is used")
        return Decoded(sound.samples, failure if sound.truncated else None)

    def network(self) -> Network:
        """See Recipe."""
        network = SoundNet.from_file(self.weights)
        return lambda inputs: [network.features(sound, layer=self.layer) for sound in inputs]
