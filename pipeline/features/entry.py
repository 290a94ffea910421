"""What one sample gave, and the bytes that keep it."""

from __future__ import annotations

import hashlib
import io
import json
import struct
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

_DIGEST = 32
_NPY_HEADER = struct.Struct("<6sBBH")  # magic, version 1.0, length of the description


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
        array = np.ascontiguousarray(entry.array)
        np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    contents = buffer.getvalue()
    return hashlib.sha256(contents).digest() + contents


def decode(data: bytes) -> Entry | None:
    """Read what `encode` wrote; None if a single bit of it is wrong or missing."""
    contents = data[_DIGEST:]
    if hashlib.sha256(contents).digest() != data[:_DIGEST]:
        return None
    header, array = contents.split(b"\n", 1)
    fault = json.loads(header)
    return Entry(_array(array) if array else None, tuple(fault) if fault else None)


def _array(data: bytes) -> np.ndarray:
    # numpy's own reader spends most of its time on the header, and equal shapes have equal ones.
    start = _NPY_HEADER.size + _NPY_HEADER.unpack_from(data)[-1]
    shape, dtype = _shape(data[:start])
    return np.frombuffer(data, dtype, offset=start).reshape(shape)


@lru_cache(maxsize=1024)
def _shape(header: bytes) -> tuple[tuple[int, ...], np.dtype]:
    file = io.BytesIO(header)
    np.lib.format.read_magic(file)
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
    assert not by_columns
    return shape, dtype
