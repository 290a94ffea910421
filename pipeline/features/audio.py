"""Soundtracks through an encoder of waveforms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pipeline.extractors.encoder import AudioEncoder, Identity
from pipeline.features.recipe import FILE, Decoded, Item, Recipe
from pipeline.media import read_waveform


@dataclass(frozen=True)
class AudioRecipe(Recipe):
    """A waveform through an encoder: [steps, dim]."""

    encoder: AudioEncoder
    modality: ClassVar[str] = "audio"

    def identity(self) -> Identity:
        """See Recipe."""
        return {**self.encoder.identity(), "rate": self.encoder.rate}

    def read(self, item: Item) -> Decoded:
        """See Recipe."""
        sound = read_waveform(item.file, self.encoder.rate, item.start, item.end)
        failure = ("truncated", f"{FILE}: damaged or cut off; what it has of sound is used")
        prepared = self.encoder.prepare(sound.samples)
        return Decoded(prepared, failure if sound.truncated else None)
