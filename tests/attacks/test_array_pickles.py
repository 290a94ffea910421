"""An .npy of objects made to do harm: read by a machine that knows arrays alone."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from model_files import Harm, Write, cases, npy, raw, told

from pipeline.extractors import SoundNet

pytestmark = pytest.mark.usefixtures("bounded")

NO_ARRAYS = "not a table of arrays, nothing in it was run"


def of_objects(path: Path) -> None:
    array = np.empty((), object)
    array[()] = {"conv1": {"weights": np.array([Harm()], object)}}
    np.save(path, array, allow_pickle=True)


def npy_of(value: object) -> Write:
    return lambda path: path.write_bytes(npy(pickle.dumps(value, 2))) and None


def array_of(shape: bytes, numbers: bytes) -> bytes:
    """A pickled float32 array that declares `shape`, a pickled tuple, over `numbers`."""
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01" + shape + b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U" + bytes([len(numbers)]) + numbers + b"tb."
    )


def nested_tuples() -> bytes:
    """A key of tuples of tuples, 60 deep, each twice the one before: for ever to hash."""
    return b"\x80\x02})" + b"q\x00h\x00\x86" * 60 + b"K\x01s."


def type_of(code: bytes) -> bytes:
    """A pickled type of numbers whose code is what `code` leaves on the stack."""
    return b"\x80\x02cnumpy\ndtype\n" + code + b"\x85R."


SHARED = b")" + b"q\x00h\x00\x86" * 40  # tuples of tuples, each twice the one before


def npy_header(header: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


FILES = [
    (
        "a pickle that runs a command, as sound8.npy",
        "sound8.npy",
        npy_of(Harm()),
        f"{{file}}: asks for posix.system; {NO_ARRAYS}",
    ),
    (
        "an .npy of objects, with a command inside",
        "objects.npy",
        of_objects,
        f"{{file}}: asks for posix.system; {NO_ARRAYS}",
    ),
    (
        "an .npy that calls by a name of two parts",
        "stacked.npy",
        raw(npy(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x01x\x85R.")),
        f"{{file}}: asks for builtins.eval; {NO_ARRAYS}",
    ),
    (
        "an .npy that declares more numbers than it holds",
        "empty.npy",
        raw(npy(array_of(b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", b"1234"))),
        f"{{file}}: an array of shape (2147483647, 2147483647) in 4 bytes; {NO_ARRAYS}",
    ),
    (
        "an .npy with a shape of 1,000 numbers of 240 digits",
        "shape.npy",
        raw(npy(array_of(b"(\x8a\x64" + b"\x7f" * 100 + b"q\x09" + b"h\x09" * 999 + b"t", b""))),
        f"{{file}}: an array without type or shape; {NO_ARRAYS}",
    ),
    (
        "an .npy with a key that takes for ever to hash",
        "keys.npy",
        raw(npy(nested_tuples())),
        f"{{file}}: a key that is a tuple, not text; {NO_ARRAYS}",
    ),
    (
        "an .npy whose type is tuples that take for ever to write",
        "type.npy",
        raw(npy(type_of(SHARED))),
        f"{{file}}: asks for a type by no name; {NO_ARRAYS}",
    ),
    (
        "an .npy whose type is 3,000 tuples deep",
        "deep.npy",
        raw(npy(type_of(b")" + b"\x85" * 3000))),
        f"{{file}}: asks for a type by no name; {NO_ARRAYS}",
    ),
    (
        "an .npy whose byte order is tuples that take for ever to write",
        "order.npy",
        raw(npy(b"\x80\x02cnumpy\ndtype\nU\x02f4\x85R(N" + SHARED + b"tb.")),
        f"{{file}}: asks for a byte order by no name; {NO_ARRAYS}",
    ),
    (
        "an .npy whose encoding is tuples that take for ever to write",
        "encoding.npy",
        raw(npy(b"\x80\x02c_codecs\nencode\nU\x01a" + SHARED + b"\x86R.")),
        f"{{file}}: asks for an encoding by no name; {NO_ARRAYS}",
    ),
    (
        "an .npy with a header of 9,000 minus signs",
        "minus.npy",
        raw(npy_header(b"-" * 9000)),
        f"{{file}}: a header of 9,000 bytes; {NO_ARRAYS}",
    ),
    (
        "an .npy with a header of 4 GB",
        "header.npy",
        raw(b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1)),
        f"{{file}}: a header of 4,294,967,295 bytes; {NO_ARRAYS}",
    ),
    (
        "an .npy with a header of 500 minus signs",
        "signs.npy",
        raw(npy_header(b"-" * 500 + b"1")),
        f"{{file}}: a header that names no type; {NO_ARRAYS}",
    ),
    (
        "an .npy of numbers in place of layers",
        "numbers.npy",
        lambda path: np.save(path, np.ones(4, np.float32)),
        f"{{file}}: an array of <f4; {NO_ARRAYS}",
    ),
    (
        "an .npy that remembers under the number 2**32 - 1",
        "memo.npy",
        raw(npy(b"\x80\x02}r\xff\xff\xff\xff.")),
        f"{{file}}: not one object; {NO_ARRAYS}",
    ),
    (
        "an .npy of 200,000 steps",
        "steps.npy",
        raw(npy(b"\x80\x02" + b"N" * 200_000 + b".")),
        f"{{file}}: more than 100,000 steps; {NO_ARRAYS}",
    ),
]


@pytest.mark.parametrize(("name", "write"), cases(FILES))
def test_a_pickled_array_is_refused(tmp_path: Path, name: str, write: Write, ends: str) -> None:
    write(tmp_path / name)
    found = told(lambda: SoundNet.from_file(tmp_path / name))
    assert found == ends.format(file=tmp_path / name)
