"""An .npy that is a pickle (`np.save` of a dict of arrays), read without running anything.

Python's own unpickler calls what a file names. This one is a list of what such a file needs:
containers, text, numbers, and numpy's way to write arrays, which it rebuilds itself.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.extractors.pickled_types import CALLED, PickledArray, PickledType

LARGEST = 1 << 30
STEPS = 100_000
# Numpy writes 118 bytes.
HEADER = 512
_DAMAGE = (
    *(ValueError, LookupError, TypeError, AttributeError),
    *(RecursionError, MemoryError, OverflowError),
)

# Types that are their own value, as pickletools decodes them.
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
    *("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
}
_NAMED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING = ("PROTO", "FRAME", "STOP")


def read_array_pickle(path: Path) -> Any:
    """Read the one object of an .npy; raises ValueError naming the file and what is wrong.

    Text of Python 2 is taken for Latin-1, as numpy's `encoding="latin1"` does.
    """
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"{path}: {size:,} bytes; a network's .npy has at most {LARGEST:,}")
    try:
        array = _Machine().run(_pickle_of(path))
        if not isinstance(array, PickledArray) or len(array.items) != 1:
            raise ValueError("not one object")
        return array.items[0]
    except _DAMAGE as error:
        told = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{path}: {told}; not a table of arrays, nothing in it was run") from None


def _pickle_of(path: Path) -> bytes:
    """Return what follows the header, of which numpy's own reader would parse any amount."""
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
        if length > HEADER:
            raise ValueError(f"a header of {length:,} bytes")
        kind = re.search(rb"'descr': *'([^']+)'", file.read(length))
        if kind is None:
            raise ValueError("a header that names no type")
        if kind[1] not in (b"|O", b"|O4", b"|O8"):  # the latter two of old numpy
            raise ValueError(f"an array of {kind[1].decode('ascii', 'replace')}")
        return file.read()


class _Machine:
    """Pickle's stack machine, without the instructions that plain arrays do not need."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memory: dict[int, Any] = {}

    def run(self, program: bytes) -> Any:
        for count, (instruction, argument, _) in enumerate(pickletools.genops(program)):
            if count > STEPS:
                raise ValueError(f"more than {STEPS:,} steps")
            self._step(instruction.name, argument)
        (result,) = self.stack
        return result

    def _step(self, name: str, argument: Any) -> None:
        if name in _NOTHING:
            return
        if name in _VALUES:
            self.stack.append(argument)
        elif name in _NAMED:
            self.stack.append(_NAMED[name])
        elif name in _EMPTY:
            self.stack.append(_EMPTY[name]())
        elif name == "MARK":
            self.marks.append(len(self.stack))
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memory[len(self.memory) if name == "MEMOIZE" else argument] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memory[argument])
        else:
            self._join(name, argument)

    def _join(self, name: str, argument: Any) -> None:
        if name == "TUPLE" or name in _TUPLES:
            self.stack.append(tuple(self._taken(_TUPLES.get(name))))
        elif name in ("APPEND", "APPENDS"):
            items = self._taken(1 if name == "APPEND" else None)
            self._top(list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            self._set(self._taken(2 if name == "SETITEM" else None))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            wanted = argument if name == "GLOBAL" else " ".join(self._taken(2))
            if wanted not in CALLED:
                raise ValueError(f"asks for {wanted.replace(' ', '.')}")
            self.stack.append(CALLED[wanted])
        elif name == "REDUCE":
            called, arguments = self._taken(2)
            if called not in CALLED.values():
                raise ValueError("calls what is not one of numpy's names")
            self.stack.append(called(*arguments))
        elif name == "BUILD":
            (state,) = self._taken(1)
            self._top(PickledArray, PickledType).build(state)
        else:
            raise ValueError(f"holds the instruction {name}")

    def _taken(self, count: int | None) -> list[Any]:
        """Take the last `count` values, or those since the last mark."""
        start = self.marks.pop() if count is None else len(self.stack) - count
        if not 0 <= start <= len(self.stack):
            raise ValueError("takes more than there is")
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def _top(self, *kinds: type) -> Any:
        if not isinstance(self.stack[-1], kinds):
            raise ValueError(f"changes a {type(self.stack[-1]).__name__}")
        return self.stack[-1]

    def _set(self, items: list[Any]) -> None:
        table = self._top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Tuples of tuples of tuples would take for ever to hash.
            if not isinstance(key, str):
                raise ValueError(f"a key that is a {type(key).__name__}, not text")
            table[key] = value.values if isinstance(value, PickledArray) else value
