"""Inputs of an extraction: items, and a recipe that reads them and loads the network."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from pipeline import runtime
from pipeline.extractors.encoder import Encoder, Identity, file_digest

Failure = tuple[str, str]  # kind and message

# Placeholder for the file's path in a cached failure, which all files of the same bytes share.
FILE = "{file}"


@dataclass(frozen=True)
class Item:
    """One sample's input to one extractor: a text, or a file with an optional span in seconds.

    A sample of several photos has the further ones in `more`. `form` says how a visual item is
    read; None leaves it to the recipe.
    """

    id: str
    text: str | None = None
    path: Path | None = None
    start: float | None = None
    end: float | None = None
    more: tuple[Path, ...] = ()
    form: Literal["photo", "clip"] | None = None

    def digest(self, hash_file: Callable[[Path], str] = file_digest) -> str:
        """Hash the item's content: the text or the files' bytes, and the span."""
        digest = hashlib.sha256(json.dumps([self.start, self.end]).encode())
        files = [hash_file(path) for path in self.paths]
        digest.update("".join(files or [self.text or ""]).encode())
        return digest.hexdigest()

    @property
    def file(self) -> Path:
        """The first file of an item that is not a text."""
        assert self.path is not None
        return self.path

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files of the item, in order; none of a text."""
        return () if self.path is None else (self.path, *self.more)

    def without_paths(self, message: str) -> str:
        """Replace the item's paths in a failure's message by placeholders."""
        # A path may begin with another: the longer one is replaced first.
        for placeholder, path in sorted(self._placeholders(), key=lambda pair: -len(pair[1])):
            message = message.replace(path, placeholder)
        return message

    def with_paths(self, message: str) -> str:
        """Replace the placeholders in a cached failure's message by the item's paths."""
        for placeholder, path in self._placeholders() or [(FILE, "text")]:
            message = message.replace(placeholder, path)
        return message

    def _placeholders(self) -> list[tuple[str, str]]:
        further = (f"{{file {number}}}" for number, _ in enumerate(self.more, start=2))
        return list(zip((FILE, *further), map(str, self.paths), strict=False))  # none of a text


@dataclass(frozen=True)
class Decoded:
    """A network's input, the failure to read the item, or both (a clip that is cut off)."""

    input: Any
    failure: Failure | None = None


Network = Callable[[Sequence[Any]], Sequence[np.ndarray]]


class Recipe(ABC):
    """How one modality's features are computed; it is sent to each worker process."""

    modality: ClassVar[str]
    encoder: Encoder

    @property
    def batch(self) -> int:
        """Items that the network takes at once."""
        return self.encoder.batch

    @property
    def gpu(self) -> bool:
        """Whether its network follows HGFN_DEVICE=cuda."""
        return self.encoder.gpu

    @property
    def dim(self) -> int:
        """Width of a feature vector."""
        return self.encoder.dim

    @abstractmethod
    def identity(self) -> Identity:
        """Everything except the item that changes the result: code version, weights, parameters."""

    def item_identity(self, identity: Identity, item: Item) -> Identity:
        """Return the part of `identity` that changes this item's result, for its key."""
        return identity

    @abstractmethod
    def read(self, item: Item) -> Decoded:
        """Read one item; raises MediaError for one that cannot be read."""

    def network(self) -> Network:
        """Load the network; the function returned takes up to `batch` inputs.

        It returns one array per input, whose bytes do not depend on the rest of the batch.
        """
        return self.encoder.load()


def device_of(recipe: Recipe) -> str:
    """Return the torch device type that a recipe's network runs on."""
    return runtime.device() if recipe.gpu else "cpu"
