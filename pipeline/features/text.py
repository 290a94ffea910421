"""Texts through ELMo."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pipeline.extractors.elmo import ELMo
from pipeline.extractors.tokens import tokenize
from pipeline.features.cache import Entry
from pipeline.features.recipe import Identity, Item, file_digest, identity
from pipeline.media.errors import MediaError


@dataclass(frozen=True)
class TextRecipe:
    """Tokens through ELMo: [tokens, dim], one layer or the average of the three."""

    options: Path
    weights: Path
    layer: str
    modality: ClassVar[str] = "text"

    @property
    def dim(self) -> int:
        """See Recipe."""
        return 2 * int(json.loads(self.options.read_text())["lstm"]["projection_dim"])

    def identity(self) -> Identity:
        """See Recipe."""
        return identity(
            ELMo.version, self.weights, options=file_digest(self.options), layer=self.layer
        )

    def open(self) -> Callable[[Item], Entry]:
        """See Recipe."""
        network = ELMo.from_files(self.options, self.weights)

        def extract(item: Item) -> Entry:
            tokens = tokenize(item.text or "")
            if not tokens:
                raise MediaError("empty_text", "no word in the text")
            (layers,) = network.embed([tokens])
            return Entry(layers[-1] if self.layer == "top" else layers.mean(axis=0))

        return extract
