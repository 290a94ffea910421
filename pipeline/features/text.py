"""Texts through an encoder of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pipeline.extractors.encoder import Identity, TextEncoder
from pipeline.features.recipe import Decoded, Item, Recipe


@dataclass(frozen=True)
class TextRecipe(Recipe):
    """A text's tokens through an encoder: [tokens, dim], or [1, dim] if it pools them itself."""

    encoder: TextEncoder
    modality: ClassVar[str] = "text"

    def identity(self) -> Identity:
        """See Recipe."""
        return {**self.encoder.identity(), "longest": self.encoder.longest}

    def read(self, item: Item) -> Decoded:
        """See Recipe."""
        tokens, longest = self.encoder.prepare(item.text or ""), self.encoder.longest
        if not tokens:
            return Decoded(None, ("empty_text", "no word in the text"))
        if len(tokens) > longest:
            message = f"{len(tokens)} tokens; the first {longest} are used"
            return Decoded(tokens[:longest], ("long_text", message))
        return Decoded(tokens)
