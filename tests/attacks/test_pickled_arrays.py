"""An .npy of objects made to do harm: nothing in it is called, and little memory is taken."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from pipeline.extractors import SoundNet
from pipeline.inputs.pickled_arrays import read_pickled_arrays
from tests.attacks.model_files import Harm, Write, cases, npy, raw, refusal

pytestmark = pytest.mark.usefixtures("bounded")


def of_objects(path: Path) -> None:
    array = np.empty((), object)
    array[()] = {"conv1": {"weights": np.array([Harm()], object)}}
    np.save(path, array, allow_pickle=True)


def array_of(shape: bytes, numbers: bytes, code: bytes = b"f4") -> bytes:
    """A dict of one array as Python 2 pickled it: `shape`, a pickled tuple, over `numbers`."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01" + shape + b"cnumpy\ndtype\nU\x02" + code + b"K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U" + bytes([len(numbers)]) + numbers + b"tb"
    )
    table = b"}U\x05conv1}U\x07weights" + array + b"ss"
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01)N\x89]" + table + b"atb."
    )


def test_a_table_of_python_2_is_read(tmp_path: Path) -> None:
    numbers = np.arange(4, dtype="<f4")
    path = tmp_path / "sound8.npy"
    path.write_bytes(npy(array_of(b"K\x02K\x02\x86", numbers.tobytes())))
    array = read_pickled_arrays(path)["conv1"]["weights"]
    assert np.array_equal(array, numbers.reshape(2, 2))


ATTACKS: dict[str, tuple[Write, str]] = {
    "a pickle that runs a command": (
        raw(npy(pickle.dumps(Harm(), 2))),
        "asks for posix.system",
    ),
    "a command inside a table of arrays": (of_objects, "asks for posix.system"),
    "a name that is built on the stack": (
        raw(npy(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x01x\x85R.")),
        "asks for builtins.eval",
    ),
    "another function of numpy": (
        raw(npy(b"\x80\x02cnumpy\nload\nU\x01x\x85R.")),
        "asks for numpy.load",
    ),
    "an array of exabytes over four bytes": (
        raw(npy(array_of(b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", b"1234"))),
        "cannot reshape array of size 1 into shape (2147483647,2147483647)",
    ),
    "an array of objects": (
        raw(npy(array_of(b"K\x01\x85", b"12345678", code=b"O8"))),
        "an array of neither floats nor integers",
    ),
    "a memo of 2**32 entries": (
        raw(npy(b"\x80\x02}r\xff\xff\xff\xff.")),
        "memo entry 4,294,967,295 in 9 bytes",
    ),
    "bytes of a terabyte that are not there": (
        raw(npy(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40))),
        "expected 1099511627776 bytes in a bytes8, but only 0 remain",
    ),
    "a header of 4 GB": (
        raw(b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1)),
        "not an .npy of version 1.0",
    ),
    "numbers in place of layers": (
        lambda path: np.save(path, np.ones(4, np.float32)),
        "at position 0, opcode b'\\x00' unknown",
    ),
}


@pytest.mark.parametrize(("write", "message"), cases(ATTACKS))
def test_a_pickled_array_is_refused(tmp_path: Path, write: Write, message: str) -> None:
    path = tmp_path / "sound8.npy"
    write(path)
    line = refusal(lambda: SoundNet.from_file(path))
    assert line.startswith(f"{path}: not a pickled table of arrays ({message}")
    assert line.endswith("); nothing in it was run")
