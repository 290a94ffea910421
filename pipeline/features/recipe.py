"""What extraction takes and gives: an item, and a recipe that knows network and identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from pipeline.features.entry import Entry
from pipeline.media.errors import MediaError

Identity = dict[str, str | int]

# Stands for the item's own file in a cached fault.
FILE = "{file}"


def file_digest(path: Path) -> str:
    """Hash a file's bytes (sha256, hexadecimal)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Item:
    """One sample's input to one extractor: a text, or a file with an optional span in seconds."""

    id: str
    text: str | None = None
    path: Path | None = None
    start: float | None = None
    end: float | None = None

    def digest(self, hash_file: Callable[[Path], str] = file_digest) -> str:
        """Hash what will be read: the text or the file's bytes, and the span."""
        hashed = hashlib.sha256(json.dumps([self.start, self.end]).encode())
        if self.path is None:
            hashed.update((self.text or "").encode())
        else:
            hashed.update(hash_file(self.path).encode())
        return hashed.hexdigest()

    @property
    def file(self) -> Path:
        """The item's file; ValueError for an item that is a text."""
        if self.path is None:
            raise ValueError(f"item {self.id} has no file")
        return self.path


Extract = Callable[[Sequence[Item]], list[Entry]]


@runtime_checkable
class Recipe(Protocol):
    """How one modality's features are made; sent to each worker, opened there once."""

    modality: ClassVar[str]
    batch: ClassVar[int]  # items that the network takes at once

    @property
    def dim(self) -> int:
        """Width of a feature vector."""
        ...

    def identity(self) -> Identity:
        """Everything beside the item that changes the result: code version, weights, parameters."""
        ...

    def open(self) -> Extract:
        """Load the network; the function returned extracts up to `batch` items.

        An item's entry has the same bytes whatever shares its batch.
        """
        ...


def one_by_one(extract: Callable[[Item], Entry]) -> Extract:
    """Make an extractor of batches from one of single items.

    What an item's bytes make impossible becomes its fault; other errors are raised.
    """
    return lambda items: [_try_extract(extract, item) for item in items]


def _try_extract(extract: Callable[[Item], Entry], item: Item) -> Entry:
    try:
        return finite(extract(item))
    except MediaError as error:
        if error.kind == "missing_file":
            # It was there when it was hashed: a fault of this machine, not of the item's bytes.
            raise
        # An entry serves every file of the same bytes: it must not name the first one's path.
        return Entry(None, (error.kind, str(error).replace(str(item.path), FILE)))


def finite(entry: Entry) -> Entry:
    """Make an entry's array float32, or a fault where a value is not finite."""
    if entry.array is None:
        return entry
    array = np.ascontiguousarray(entry.array, np.float32)
    if not np.isfinite(array).all():
        return Entry(None, ("not_finite", f"{FILE}: features are not finite"))
    return Entry(array, entry.fault)


def identity(version: str, weights: Path, **parameters: str | int) -> Identity:
    """Join an extractor's code version, its weights' sha256 and its parameters."""
    return {"version": version, "weights": file_digest(weights), **parameters}
