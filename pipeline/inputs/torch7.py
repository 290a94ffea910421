"""Torch7 binary files (.t7): tensors, tables, numbers and text are read, functions are not.

The format is that of torch7's File.lua, little-endian with longs of 8 bytes. Each object begins
with the number of its type; tables and torch objects have an index for later references.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MAX_DIMENSIONS = 64  # of NumPy's arrays

NIL, NUMBER, STRING, TABLE, TORCH, BOOLEAN = range(6)
FUNCTIONS = (6, 7, 8)
PACKAGES = ("nn.", "cudnn.", "cunn.")
_DTYPES = {
    **{"Byte": "u1", "Char": "i1", "Short": "<i2", "Int": "<i4", "Long": "<i8"},
    **{"Float": "<f4", "Double": "<f8", "Cuda": "<f4", "CudaDouble": "<f8"},
}
TENSORS = {f"torch.{name}Tensor": np.dtype(code) for name, code in _DTYPES.items()}
STORAGES = {f"torch.{name}Storage": np.dtype(code) for name, code in _DTYPES.items()}


@dataclass(eq=False)
class Module:
    """An object of torch's nn: its class, such as `nn.Sequential`, and its fields."""

    name: str
    fields: dict[Any, Any] = field(default_factory=dict)


def read_torch7(path: Path) -> Any:
    """Read the object in a .t7 file: tables as dicts, tensors as arrays, modules as `Module`.

    A table may contain itself. Raises ValueError naming the file, the byte and the fault for a
    file that is damaged or contains a function.
    """
    reader = _Reader(path.read_bytes())
    try:
        return reader.object()
    except (ValueError, RecursionError, OverflowError) as error:
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"{path}: byte {reader.position:,}: {reason}; not a network's .t7"
        ) from None


class _Reader:
    """Reads one object after another from `position` on."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        self.objects: dict[int, Any] = {}  # by index

    def object(self) -> Any:
        """Read the next object."""
        kind = self._integer()
        if kind in (TABLE, TORCH):
            return self._indexed(kind)
        if kind == NUMBER:
            return float(self._numbers(np.dtype("<f8"), 1)[0])
        if kind == STRING:
            return self._text()
        if kind in (NIL, BOOLEAN):
            return None if kind == NIL else self._integer() == 1
        raise ValueError("a function" if kind in FUNCTIONS else f"an object of unknown type {kind}")

    def _indexed(self, kind: int) -> Any:
        index = self._integer()
        if index in self.objects:
            return self.objects[index]
        if kind == TABLE:
            # Registered before its entries are read: one of them may be the table itself.
            table = self.objects[index] = {}
            self._fill(table)
            return table
        name = self._text()
        if name.startswith("V "):  # the version of the class; older files have none
            name = self._text()
        if name.startswith(PACKAGES):
            return self._module(index, name)
        if name in STORAGES:
            self.objects[index] = self._numbers(STORAGES[name], self._long())
        elif name in TENSORS:
            self.objects[index] = None
            self.objects[index] = self._tensor(TENSORS[name])
        else:
            raise ValueError(f"an object of class {name[:80]!r}")
        return self.objects[index]

    def _module(self, index: int, name: str) -> Module:
        module = self.objects[index] = Module(name)
        fields = self.object()
        if not isinstance(fields, dict):
            raise ValueError(f"{name} without a table of fields")
        module.fields = fields
        return module

    def _fill(self, table: dict[Any, Any]) -> None:
        for _ in range(self._integer()):
            key = self.object()
            if not isinstance(key, str | float | bool):
                raise ValueError("a table key that is neither text nor a number")
            if isinstance(key, float) and key.is_integer():
                key = int(key)
            table[key] = self.object()

    def _tensor(self, dtype: np.dtype[Any]) -> np.ndarray:
        dimensions = self._integer()
        if dimensions > MAX_DIMENSIONS:
            raise ValueError(f"a tensor of {dimensions:,} dimensions")
        sizes = [self._long() for _ in range(dimensions)]
        strides = [self._long() for _ in range(dimensions)]
        start = self._long() - 1  # Lua counts from 1
        storage = self.object()
        if storage is None or not (dimensions and math.prod(sizes)):
            return np.zeros(0, dtype)
        if not isinstance(storage, np.ndarray) or storage.ndim != 1 or storage.dtype != dtype:
            raise ValueError("a tensor without a storage of its type")
        if min(start, *sizes, *strides) < 0:
            raise ValueError(f"a tensor of sizes {sizes} and strides {strides} from {start + 1}")
        last = start + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
        if last >= storage.size:
            raise ValueError(f"a tensor that reaches to {last + 1:,} of {storage.size:,} numbers")
        if math.prod(sizes) > storage.size:
            raise ValueError(f"a tensor of sizes {sizes} over {storage.size:,} numbers")
        steps = [step * dtype.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(storage[start:], sizes, steps, writeable=False)

    def _text(self) -> str:
        return self._bytes(self._integer()).decode("latin-1")

    def _integer(self) -> int:
        return int(struct.unpack("<i", self._bytes(4))[0])

    def _long(self) -> int:
        return int(struct.unpack("<q", self._bytes(8))[0])

    def _numbers(self, dtype: np.dtype[Any], count: int) -> np.ndarray:
        return np.frombuffer(self._bytes(count * dtype.itemsize), dtype)

    def _bytes(self, size: int) -> bytes:
        rest = len(self.data) - self.position
        if not 0 <= size <= rest:
            raise ValueError(f"needs {size:,} bytes, {rest:,} are left")
        self.position += size
        return self.data[self.position - size : self.position]
