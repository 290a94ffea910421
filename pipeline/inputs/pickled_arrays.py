"""An .npy file that is a pickled dict of arrays (`np.save` of a dict), read without running it.

The unpickler knows the five names that NumPy writes for an array and maps each to a stand-in, so
that nothing of the file's choice is called and no array is larger than the file's own bytes.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

Table = dict[str, dict[str, np.ndarray]]


def read_pickled_arrays(path: Path) -> Table:
    """Read a dict of dicts of arrays; raises ValueError naming the file and what is wrong.

    Python 2 text is decoded as Latin-1, as by NumPy's `encoding="latin1"`.
    """
    try:
        # The dict is the only entry of an array of objects.
        (table,) = _Unpickler(_program(path.read_bytes()), encoding="latin1").load().state[-1]
        return {
            layer: {name: a.array() for name, a in arrays.items() if isinstance(a, _Pickled)}
            for layer, arrays in table.items()
        }
    except Exception as error:
        # A damaged pickle may raise any exception.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(
            f"{path}: not a pickled table of arrays ({reason}); nothing in it was run"
        ) from None


def _program(content: bytes) -> io.BytesIO:
    """Return the pickle that follows the header, which is not evaluated."""
    if not content.startswith(b"\x93NUMPY\x01\x00"):
        raise ValueError("not an .npy of version 1.0")
    program = content[10 + int.from_bytes(content[8:10], "little") :]
    for instruction, argument, _ in pickletools.genops(program):
        # The C unpickler would allocate a memo of this many entries.
        if instruction.name == "LONG_BINPUT" and int(argument or 0) > len(program):
            raise ValueError(f"memo entry {argument:,} in {len(program):,} bytes")
    return io.BytesIO(program)


class _Pickled:
    """Replaces `numpy.ndarray` and `numpy.dtype`: only stores the arguments in the file."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        """Return the array as a view of the file's bytes."""
        _, shape, dtype, by_columns, data = self.state
        code, order = dtype.arguments[0], dtype.state[1]
        if code not in ("f2", "f4", "f8", "i4", "i8"):
            raise ValueError("an array of neither floats nor integers")
        raw = data.encode("latin1") if isinstance(data, str) else data
        return np.frombuffer(raw, order + code).reshape(shape, order="F" if by_columns else "C")


def _encode(text: str, _: str) -> bytes:
    """Replace `_codecs.encode`, with which protocol 2 writes bytes, always as Latin-1."""
    return text.encode("latin1")


_STAND_INS: dict[str, Any] = {
    "numpy.core.multiarray._reconstruct": _Pickled,
    "numpy._core.multiarray._reconstruct": _Pickled,
    "numpy.ndarray": _Pickled,
    "numpy.dtype": _Pickled,
    "_codecs.encode": _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _STAND_INS:
            raise ValueError(f"asks for {module}.{name}")
        return _STAND_INS[f"{module}.{name}"]
