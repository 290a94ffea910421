"""A recipe without a network, importable by worker processes; it logs what it extracts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.features.recipe import FILE, Decoded, Identity, Item, Network, Reader
from pipeline.media import MediaError


@dataclass(frozen=True)
class FakeRecipe:
    """Features are the input's length, times `scale`; some inputs fail instead."""

    log: Path
    scale: int = 1
    weights: str = "00ff"
    version: str = "1"
    broken: bool = False
    mended: bool = False  # whether what was unreadable can be read now
    modality: ClassVar[str] = "text"
    batch: ClassVar[int] = 1
    gpu: ClassVar[bool] = True
    dim: ClassVar[int] = 2

    def identity(self) -> Identity:
        return {"version": self.version, "weights": self.weights, "scale": self.scale}

    def reader(self) -> Reader:
        def read(item: Item) -> Decoded:
            with self.log.open("a") as log:
                log.write(f"{item.id}\n")
            contents = item.text if item.path is None else item.path.read_text()
            assert contents is not None
            if contents == "unreadable" and not self.mended:
                raise MediaError("decode_failed", f"{item.path}: no picture in {item.path}")
            if contents == "bug":
                raise KeyError("an error of the code, not of the item")
            if contents == "mute":
                return Decoded(None, ("empty_text", f"{FILE}: says nothing"))
            return Decoded(contents, ("truncated", f"{FILE}: cut") if contents == "cut" else None)

        return read

    def network(self) -> Network:
        if self.broken:
            raise ValueError("weights.bin: not the weights of this network")
        return lambda inputs: [self._features(contents) for contents in inputs]

    def _features(self, contents: str) -> np.ndarray:
        features = np.full((len(contents), 2), self.scale * len(contents), np.float32)
        if contents in ("nan", "inf"):
            features[-1, -1] = float(contents)
        return features
