"""Inputs of an extraction: items, and a recipe that reads them and loads the network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

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
        pairs = zip(self.paths, self._placeholders(), strict=False)  # a text has no path
        # A path may begin with another: the longer one is replaced first.
        for path, placeholder in sorted(pairs, key=lambda pair: -len(str(pair[0]))):
            message = message.replace(str(path), placeholder)
        return message

    def with_paths(self, message: str) -> str:
        """Replace the placeholders in a cached failure's message by the item's paths."""
        for path, placeholder in zip(self.paths or ["text"], self._placeholders(), strict=True):
            message = message.replace(placeholder, str(path))
        return message

    def _placeholders(self) -> list[str]:
        return [FILE, *(f"{{file {number}}}" for number, _ in enumerate(self.more, start=2))]


@dataclass(frozen=True)
class Decoded:
    """A network's input, the failure to read the item, or both (a clip that is cut off)."""

    input: Any
    failure: Failure | None = None


Network = Callable[[Sequence[Any]], Sequence[np.ndarray]]


@runtime_checkable  # for the tests, which check types
class Recipe(Protocol):
    """How one modality's features are computed; it is sent to each worker process."""

    modality: ClassVar[str]

    @property
    def batch(self) -> int:
        """Items that the network takes at once."""
        ...

    @property
    def gpu(self) -> bool:
        """Whether its network follows HGFN_DEVICE=cuda."""
        ...

    @property
    def dim(self) -> int:
        """Width of a feature vector."""
        ...

    def identity(self) -> Identity:
        """Everything except the item that changes the result: code version, weights, parameters."""
        ...

    def item_identity(self, identity: Identity, item: Item) -> Identity:
        """The part of `identity` that changes this item's result: of its key in the cache."""
        ...

    def read(self, item: Item) -> Decoded:
        """Read one item; raises MediaError for one that cannot be read."""
        ...

    def network(self) -> Network:
        """Load the network; the function returned takes up to `batch` inputs.

        It returns one array per input, whose bytes do not depend on the rest of the batch.
        """
        ...


def device_of(recipe: Recipe) -> str:
    """Return the torch device type that a recipe's network runs on."""
    return runtime.device() if recipe.gpu else "cpu"


class Encoded:
    """The part of a recipe that its encoder decides."""

    encoder: Encoder

    @property
    def batch(self) -> int:
        """See Recipe."""
        return self.encoder.batch

    @property
    def gpu(self) -> bool:
        """See Recipe."""
        return self.encoder.gpu

    @property
    def dim(self) -> int:
        """See Recipe."""
        return self.encoder.dim

    def item_identity(self, identity: Identity, item: Item) -> Identity:
        """See Recipe."""
        return identity

    def network(self) -> Network:
        """See Recipe."""
        return self.encoder.load()
