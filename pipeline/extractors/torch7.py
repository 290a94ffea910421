"""Torch7's binary files (.t7), of which tensors, tables, numbers and text are read, no code.

The format is that of torch7's File.lua, little-endian with longs of 8 bytes: each object begins
with its type's number; a table or a torch object has an index, under which it is met again.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

# A network is read whole: ten times SoundNet's, which has some thousand objects, a dozen deep.
LARGEST = 1 << 30
OBJECTS, DEEPEST, DIMENSIONS = 20_000, 64, 16

NIL, NUMBER, STRING, TABLE, TORCH, BOOLEAN = range(6)
FUNCTIONS = (6, 7, 8)
_NUMBERS: dict[str, np.dtype[Any]] = {
    "Byte": np.dtype("u1"),
    "Char": np.dtype("i1"),
    "Short": np.dtype("<i2"),
    "Int": np.dtype("<i4"),
    "Long": np.dtype("<i8"),
    "Float": np.dtype("<f4"),
    "Double": np.dtype("<f8"),
    "Cuda": np.dtype("<f4"),
    "CudaDouble": np.dtype("<f8"),
}
TENSORS = {f"torch.{name}Tensor": number for name, number in _NUMBERS.items()}
STORAGES = {f"torch.{name}Storage": number for name, number in _NUMBERS.items()}
_DAMAGE = (ValueError, RecursionError, MemoryError, OverflowError)
PACKAGES = ("nn.", "cudnn.", "cunn.")


@dataclass(eq=False)
class Module:
    """An object of torch's nn: its class, as in `nn.Sequential`, and its fields."""

    name: str
    fields: dict[Any, Any] = field(default_factory=dict)


def read_torch7(path: Path) -> Any:
    """Read the object of a .t7 file: a table is a dict, a tensor an array, a module a `Module`.

    Tables may hold themselves. Raises ValueError naming the file, the byte and what is there for
    a file that is damaged, larger than a network, or holds a function.
    """
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"{path}: {size:,} bytes; a network's .t7 has at most {LARGEST:,}")
    reader = _Reader(path.read_bytes())
    try:
        return reader.object(0)
    except _DAMAGE as error:
        told = str(error) or type(error).__name__
        raise ValueError(f"{path}: byte {reader.at:,}: {told}; not a network's .t7") from None


class _Reader:
    """Reads one object after the other; `at` is the next byte."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.count = 0
        self.known: dict[int, Any] = {}

    def object(self, depth: int) -> Any:
        """Read the next object, which is `depth` tables down."""
        self.count += 1
        if self.count > OBJECTS:
            raise ValueError(f"more than {OBJECTS:,} objects")
        if depth > DEEPEST:
            raise ValueError(f"tables more than {DEEPEST} deep")
        kind = self.integer()
        if kind in (TABLE, TORCH):
            return self._indexed(kind, depth + 1)
        if kind in FUNCTIONS:
            raise ValueError("a function, which is not run")
        if kind == NUMBER:
            return float(self._numbers(np.dtype("<f8"), 1)[0])
        if kind == STRING:
            return self.text()
        if kind in (NIL, BOOLEAN):
            return None if kind == NIL else self.integer() == 1
        raise ValueError(f"an object of type {kind}, which there is not")

    def _indexed(self, kind: int, depth: int) -> Any:
        index = self.integer()
        if index in self.known:
            return self.known[index]
        if kind == TABLE:
            # Known before its entries, which may be the table itself.
            self.known[index] = {}
            return self._fill(self.known[index], depth)
        name = self.text()
        if name.startswith("V "):  # the class's version; older files have none
            name = self.text()
        if name.startswith(PACKAGES):
            return self._module(index, name, depth)
        if name in STORAGES:
            self.known[index] = self._numbers(STORAGES[name], self.long())
        elif name in TENSORS:
            self.known[index] = None
            self.known[index] = self._tensor(TENSORS[name], depth)
        else:
            raise ValueError(f"an object of class {name[:80]!r}")
        return self.known[index]

    def _module(self, index: int, name: str, depth: int) -> Module:
        module = self.known[index] = Module(name)
        fields = self.object(depth)
        if not isinstance(fields, dict):
            raise ValueError(f"{name} without a table of fields")
        module.fields = fields
        return module

    def _fill(self, table: dict[Any, Any], depth: int) -> dict[Any, Any]:
        for _ in range(self._counted(self.integer(), "entries")):
            key = self.object(depth)
            if not isinstance(key, str | float | bool):
                raise ValueError("a table's key that is neither text nor number")
            table[int(key) if isinstance(key, float) and key.is_integer() else key] = self.object(
                depth
            )
        return table

    def _tensor(self, number: np.dtype[Any], depth: int) -> np.ndarray:
        dimensions = self.integer()
        if not 0 <= dimensions <= DIMENSIONS:
            raise ValueError(f"a tensor of {dimensions} dimensions")
        sizes = [self.long() for _ in range(dimensions)]
        strides = [self.long() for _ in range(dimensions)]
        start = self.long() - 1  # Lua counts from 1
        storage = self.object(depth)
        if storage is None or not (dimensions and math.prod(sizes)):
            return np.zeros(0, number)
        if not isinstance(storage, np.ndarray) or storage.ndim != 1 or storage.dtype != number:
            raise ValueError("a tensor without a storage of its numbers")
        if min(start, *sizes, *strides) < 0:
            raise ValueError(f"a tensor of sizes {sizes} and strides {strides} from {start + 1}")
        last = start + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
        if last >= storage.size:
            raise ValueError(f"a tensor that reaches to {last + 1:,} of {storage.size:,} numbers")
        steps = [step * number.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(storage[start:], sizes, steps, writeable=False)

    def text(self) -> str:
        """Read a length and as many bytes."""
        size = self._counted(self.integer(), "bytes of text")
        return self._bytes(size).decode("latin-1")

    def integer(self) -> int:
        """Read an int of 4 bytes."""
        return int(struct.unpack("<i", self._bytes(4))[0])

    def long(self) -> int:
        """Read a long of 8 bytes."""
        return int(struct.unpack("<q", self._bytes(8))[0])

    def _numbers(self, number: np.dtype[Any], count: int) -> np.ndarray:
        return np.frombuffer(self._bytes(self._counted(count, "numbers") * number.itemsize), number)

    def _counted(self, count: int, of: str) -> int:
        # Everything takes a byte at least: what a file promises is never more than it holds.
        if not 0 <= count <= len(self.data) - self.at:
            raise ValueError(f"{count:,} {of} in {len(self.data) - self.at:,} bytes")
        return count

    def _bytes(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise ValueError("the end of the file in the middle of an object")
        self.at += size
        return self.data[self.at - size : self.at]
