"""Writes .t7 files as torch7's File.lua does: an oracle, independent of the reader."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

KINDS = {"float32": "Float", "float64": "Double", "int64": "Long"}


class Shared:
    """A part of a storage: several tensors of one network share one, as getParameters leaves it."""

    def __init__(self, storage: np.ndarray, start: int, shape: tuple[int, ...]) -> None:
        self.storage, self.start, self.shape = storage, start, shape


class Object:
    """A torch object: class, fields."""

    def __init__(self, name: str, **fields: Any) -> None:
        self.name, self.fields = name, fields


def dump(value: Any, *, version: bool = True, cuda: bool = False) -> bytes:
    return Writer(version, cuda).write(value)


class Writer:
    def __init__(self, version: bool, cuda: bool) -> None:
        self.version, self.cuda = version, cuda
        self.indices: dict[int, int] = {}
        self.values: list[Any] = []  # alive, so that no id is used twice

    def write(self, value: Any) -> bytes:
        if value is None:
            return struct.pack("<i", 0)
        if isinstance(value, bool):
            return struct.pack("<ii", 5, value)
        if isinstance(value, int | float):
            return struct.pack("<id", 1, value)
        if isinstance(value, str):
            return struct.pack("<i", 2) + self.text(value)
        if isinstance(value, dict | list):
            return self.once(3, value, self.table)
        if isinstance(value, Object):
            return self.once(4, value, self.instance)
        return self.once(4, value, self.tensor)

    def once(self, kind: int, value: Any, write: Any) -> bytes:
        if id(value) in self.indices:
            return struct.pack("<ii", kind, self.indices[id(value)])
        self.indices[id(value)] = len(self.indices) + 1
        self.values.append(value)
        head = struct.pack("<ii", kind, self.indices[id(value)])
        return head + write(value)

    def text(self, text: str) -> bytes:
        return struct.pack("<i", len(text)) + text.encode("latin-1")

    def named(self, name: str) -> bytes:
        return (self.text("V 1") if self.version else b"") + self.text(name)

    def table(self, value: dict[Any, Any] | list[Any]) -> bytes:
        pairs = list(value.items() if isinstance(value, dict) else enumerate(value, 1))
        body = b"".join(self.write(k) + self.write(v) for k, v in pairs)
        return struct.pack("<i", len(pairs)) + body

    def instance(self, value: Object) -> bytes:
        return self.named(value.name) + self.write(dict(value.fields))

    def tensor(self, value: np.ndarray | Shared) -> bytes:
        part = value if isinstance(value, Shared) else Shared(value.ravel(), 0, value.shape)
        strides = [int(np.prod(part.shape[k + 1 :])) for k in range(len(part.shape))]
        kind = self.kind(part.storage)
        longs = [*part.shape, *strides, part.start + 1]
        head = self.named(f"torch.{kind}Tensor") + struct.pack("<i", len(part.shape))
        return (
            head + struct.pack(f"<{len(longs)}q", *longs) + self.once(4, part.storage, self.numbers)
        )

    def numbers(self, storage: np.ndarray) -> bytes:
        head = self.named(f"torch.{self.kind(storage)}Storage")
        return head + struct.pack("<q", storage.size) + storage.tobytes()

    def kind(self, storage: np.ndarray) -> str:
        kind = KINDS[str(storage.dtype)]
        return "Cuda" if self.cuda and kind == "Float" else kind
