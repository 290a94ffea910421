"""Texts through ELMo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.extractors.elmo import ELMo
from pipeline.extractors.elmo_files import read_options
from pipeline.extractors.tokens import tokenize
from pipeline.features.recipe import Decoded, Identity, Item, Network, file_digest, identity
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
    gpu: ClassVar[bool] = True

    @property
    def dim(self) -> int:
        """See Recipe."""
        return 2 * read_options(self.options).lstm.projection_dim

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

    def read(self, item: Item) -> Decoded:
        """See Recipe."""
        tokens = tokenize(item.text or "")
        if not tokens:
            return Decoded(None, ("empty_text", "no word in the text"))
        if len(tokens) > LONGEST_TEXT:
            message = f"{len(tokens)} words; the first {LONGEST_TEXT} are used"
            return Decoded(tokens[:LONGEST_TEXT], ("long_text", message))
        return Decoded(tokens)

    def network(self) -> Network:
        """See Recipe."""
        network = ELMo.from_files(self.options, self.weights, device(), self.precision)
        return lambda inputs: [self._pick(layers) for layers in network.embed(inputs)]

    def _pick(self, layers: np.ndarray) -> np.ndarray:
        return layers[-1] if self.layer == "top" else layers.mean(axis=0)
