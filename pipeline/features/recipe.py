"""Inputs of an extraction: items, and a recipe that reads them and loads the network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from pipeline import runtime
from pipeline.extractors.encoder import Encoder, Identity, file_digest

Failure = tuple[str, str]  # kind and message

# Placeholder for the file's path in a cached failure, which all files of the same bytes share.
FILE = "{file}"


@dataclass(frozen=True)
class Item:
    """One sample's input to one extractor: a text, or a file with an optional span in seconds."""

    id: str
    text: str | None = None
    path: Path | None = None
    start: float | None = None
    end: float | None = None

    def digest(self, hash_file: Callable[[Path], str] = file_digest) -> str:
        """Hash the item's content: the text or the file's bytes, and the span."""
        digest = hashlib.sha256(json.dumps([self.start, self.end]).encode())
        content = (self.text or "") if self.path is None else hash_file(self.path)
        digest.update(content.encode())
        return digest.hexdigest()

    @property
    def file(self) -> Path:
        """The file of an item that is not a text."""
        assert self.path is not None
        return self.path


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

    def network(self) -> Network:
        """See Recipe."""
        return self.encoder.load()
