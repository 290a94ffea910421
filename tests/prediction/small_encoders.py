"""Encoders of two modalities without weights, whose features a person can compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from pipeline.extractors.encoder import Identity, Origin
from pipeline.extractors.tokens import tokenize


class Small:
    """The parts that every encoder has, without weights."""

    version: ClassVar[str] = "1"
    batch: ClassVar[int] = 2
    gpu: ClassVar[bool] = False
    folder = Path()
    dim = 3

    @classmethod
    def obtain(cls, source: str, weights: str, folder: Path) -> Origin:
        raise NotImplementedError

    @classmethod
    def of(cls, folder: Path, params: Any) -> Small:
        raise NotImplementedError

    def identity(self) -> Identity:
        return {"version": self.version}


@dataclass(frozen=True)
class Colours(Small):
    """A picture's mean colour."""

    def prepare(self, raw: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(raw).resize((28, 28)))

    def load(self) -> Callable[..., list[np.ndarray]]:
        return lambda inputs: [x.mean(axis=(1, 2)).astype(np.float32) / 64 for x in inputs]


@dataclass(frozen=True)
class Letters(Small):
    """A word's length, vowels, and whether it is an address."""

    longest = 50

    def prepare(self, raw: str) -> list[str]:
        return tokenize(raw)

    def load(self) -> Callable[..., list[np.ndarray]]:
        def run(inputs: list[list[str]]) -> list[np.ndarray]:
            assert 0 < len(inputs) <= self.batch
            rows = [[[len(w), sum(map(w.count, "aeiou")), ":" in w] for w in ws] for ws in inputs]
            return [np.array(values, np.float32) for values in rows]

        return run
