"""Texts through ELMo."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.extractors.elmo import ELMo
from pipeline.extractors.tokens import tokenize
from pipeline.features.entry import Entry
from pipeline.features.recipe import Extract, Identity, Item, file_digest, finite, identity
from pipeline.runtime import device

# A tweet has at most 280 characters; of a longer description the beginning is used.
LONGEST_TEXT = 200


@dataclass(frozen=True)
class TextRecipe:
    """Tokens through ELMo: [tokens, dim], one layer or the average of the three."""

    options: Path
    weights: Path
    layer: str
    precision: str = "float32"
    modality: ClassVar[str] = "text"
    batch: ClassVar[int] = 256

    @property
    def dim(self) -> int:
        """See Recipe."""
        return 2 * int(json.loads(self.options.read_text())["lstm"]["projection_dim"])

    def identity(self) -> Identity:
        """See Recipe."""
        return identity(
            ELMo.version,
            self.weights,
            options=file_digest(self.options),
            layer=self.layer,
            precision=self.precision,
            longest=LONGEST_TEXT,
        )

    def open(self) -> Extract:
        """See Recipe."""
        network = ELMo.from_files(self.options, self.weights, device(), self.precision)

        def extract(items: Sequence[Item]) -> list[Entry]:
            words = [tokenize(item.text or "") for item in items]
            vectors = network.embed([tokens[:LONGEST_TEXT] for tokens in words])
            return [
                finite(Entry(self._pick(layers) if tokens else None, _fault(tokens)))
                for tokens, layers in zip(words, vectors, strict=True)
            ]

        return extract

    def _pick(self, layers: np.ndarray) -> np.ndarray:
        return layers[-1] if self.layer == "top" else layers.mean(axis=0)


def _fault(tokens: list[str]) -> tuple[str, str] | None:
    if not tokens:
        return "empty_text", "no word in the text"
    if len(tokens) > LONGEST_TEXT:
        return "long_text", f"{len(tokens)} words; the first {LONGEST_TEXT} are used"
    return None
