"""A recipe that never gives memory back, importable by worker processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pipeline.features.recipe import Decoded, Identity, Item, Network, Recipe

_kept: list[np.ndarray] = []


@dataclass(frozen=True)
class Hoarder(Recipe):
    """Keeps so many bytes of each item."""

    bytes: int
    modality: ClassVar[str] = "visual"
    batch: ClassVar[int] = 1
    gpu: ClassVar[bool] = False
    dim: ClassVar[int] = 1

    def identity(self) -> Identity:
        return {"version": "1"}

    def read(self, item: Item) -> Decoded:
        _kept.append(np.ones(self.bytes, np.uint8))
        return Decoded(item.id)

    def network(self) -> Network:
        return lambda inputs: [np.ones((1, 1), np.float32) for _ in inputs]
