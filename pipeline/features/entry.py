"""What one sample gave, and the bytes that keep it."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass

import numpy as np

_DIGEST = 32


@dataclass(frozen=True)
class Entry:
    """What extraction gave for one sample: an array, a fault (kind, message), or both."""

    array: np.ndarray | None
    fault: tuple[str, str] | None = None


def encode(entry: Entry) -> bytes:
    """Write an entry as bytes that begin with the sha256 of the rest."""
    buffer = io.BytesIO()
    buffer.write(json.dumps(entry.fault).encode() + b"\n")
    if entry.array is not None:
        np.save(buffer, entry.array, allow_pickle=False)
    contents = buffer.getvalue()
    return hashlib.sha256(contents).digest() + contents


def decode(data: bytes) -> Entry | None:
    """Read what `encode` wrote; None if a single bit of it is wrong or missing."""
    contents = data[_DIGEST:]
    if hashlib.sha256(contents).digest() != data[:_DIGEST]:
        return None
    header, array = contents.split(b"\n", 1)
    fault = json.loads(header)
    return Entry(
        np.load(io.BytesIO(array), allow_pickle=False) if array else None,
        tuple(fault) if fault else None,
    )
