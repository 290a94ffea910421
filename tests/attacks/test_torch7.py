"""Torch7's .t7 made to do harm: refused at the byte where it goes wrong."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pipeline.extractors import SoundNet
from tests.attacks.model_files import (
    Write,
    cases,
    convolution,
    integer,
    raw,
    refusal,
    storage,
    tensor,
    text,
)

pytestmark = pytest.mark.usefixtures("bounded")


def holds_itself() -> bytes:
    """A network whose only part is the network."""
    parts = integer(3, 3, 1) + integer(1) + struct.pack("<d", 1.0) + integer(4, 1)
    fields = integer(3, 2, 1) + integer(2) + text("modules") + parts
    return integer(4, 1) + text("V 1") + text("nn.Sequential") + fields


NO_T7 = "not a network's .t7"
ATTACKS: dict[str, tuple[Write, str]] = {
    "a Lua function": (
        raw(integer(6, 1) + text("\x1bLua") + integer(0)),
        f"byte 4: a function; {NO_T7}",
    ),
    "a storage of 2**60 numbers": (
        raw(convolution(tensor(3, 4, 1, 1, over=storage(4, 1 << 60, bytes(16))))),
        f"byte 175: needs 4,611,686,018,427,387,904 bytes, 16 are left; {NO_T7}",
    ),
    "a storage of fewer than no numbers": (
        raw(storage(1, -1, bytes(16))),
        f"byte 45: needs -4 bytes, 16 are left; {NO_T7}",
    ),
    "a tensor beyond its storage": (
        raw(convolution(tensor(3, 5, 1, 1, over=storage(4, 4, bytes(16))))),
        f"byte 191: a tensor that reaches to 5 of 4 numbers; {NO_T7}",
    ),
    "a tensor before its storage": (
        raw(convolution(tensor(3, 2, -1, 1, over=storage(4, 4, bytes(16))))),
        f"byte 191: a tensor of sizes [2] and strides [-1] from 1; {NO_T7}",
    ),
    "a tensor of 2**60 numbers over one": (
        raw(convolution(tensor(3, 1 << 30, 1 << 30, 0, 0, 1, over=storage(4, 1, bytes(4))))),
        f"byte 195: a tensor of sizes [1073741824, 1073741824] over 1 numbers; {NO_T7}",
    ),
    "a tensor whose stride is 2**62": (
        raw(convolution(tensor(3, 1, 1 << 62, 1, over=storage(4, 1, bytes(4))))),
        f"byte 179: Python int too large to convert to C long; {NO_T7}",
    ),
    "a table of 2**31 - 1 entries": (
        raw(integer(3, 1, 2**31 - 1)),
        f"byte 12: needs 4 bytes, 0 are left; {NO_T7}",
    ),
    "tables in tables without end": (
        raw(b"".join(integer(3, n, 1) for n in range(1, 100_000))),
        f"maximum recursion depth exceeded; {NO_T7}",
    ),
    "a network that is a part of itself": (
        raw(holds_itself()),
        "tensor conv1.weight is missing, expected 16x1x64; not the weights of SoundNet-8",
    ),
    "a tensor that is its own storage": (
        raw(convolution(tensor(3, 4, 1, 1, over=integer(4, 3)))),
        "tensor conv1.weight is missing, expected 16x1x64; not the weights of SoundNet-8",
    ),
    "an object of an unknown class": (
        raw(integer(4, 1) + text("V 1") + text("os.Process")),
        f"byte 29: an object of class 'os.Process'; {NO_T7}",
    ),
}


@pytest.mark.parametrize(("write", "message"), cases(ATTACKS))
def test_a_torch7_file_is_refused(tmp_path: Path, write: Write, message: str) -> None:
    path = tmp_path / "soundnet8_final.t7"
    write(path)
    line = refusal(lambda: SoundNet.from_file(path))
    assert line.startswith(f"{path}: ")
    assert line.endswith(message)
