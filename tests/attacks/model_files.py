"""Model files, whole and tiny, and what the attacks on them share."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.extractors.elmo_files import Options, tensor_shapes

Write = Callable[[Path], None]


class Harm:
    """Pickles as a command that leaves a file."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch harm",)


def raw(content: bytes) -> Write:
    return lambda path: path.write_bytes(content) and None


def refusal(load: Callable[[], object]) -> str:
    """The one line of the ValueError that `load` raises."""
    with pytest.raises(ValueError, match=r".") as caught:
        load()
    message = str(caught.value)
    assert "\n" not in message
    return message


def cases(attacks: dict[str, tuple[Write, str]]) -> list[object]:
    """Parameters `write` and `message` of a test, by what is tried."""
    return [pytest.param(*attack, id=tried) for tried, attack in attacks.items()]


def npy(program: bytes) -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + program


def integer(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def long(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def text(value: str) -> bytes:
    return integer(len(value)) + value.encode()


def storage(index: int, size: int, numbers: bytes) -> bytes:
    return integer(4, index) + text("V 1") + text("torch.FloatStorage") + long(size) + numbers


def tensor(index: int, *longs: int, over: bytes) -> bytes:
    """A tensor of half as many dimensions as `longs`: sizes, strides and the first number."""
    head = integer(4, index) + text("V 1") + text("torch.FloatTensor")
    return head + integer(len(longs) // 2) + long(*longs) + over


def convolution(weight: bytes) -> bytes:
    """A network of one convolution."""
    fields = integer(3, 2, 1) + integer(2) + text("weight") + weight
    return integer(4, 1) + text("V 1") + text("nn.SpatialConvolution") + fields


def tiny_elmo(folder: Path) -> tuple[Path, Path]:
    """A model of the official format, small enough to be written for each test."""
    lstm = {"use_skip_connections": True, "projection_dim": 2, "dim": 3, "n_layers": 1}
    options = {
        "lstm": lstm | {"cell_clip": 3, "proj_clip": 3},
        "char_cnn": {
            "activation": "relu",
            "filters": [[1, 2]],
            "n_highway": 1,
            "embedding": {"dim": 4},
            "n_characters": 262,
            "max_characters_per_token": 50,
        },
    }
    (folder / "options.json").write_text(json.dumps(options))
    with h5py.File(folder / "weights.hdf5", "w") as file:
        for name, shape in tensor_shapes(Options.model_validate(options)).items():
            file[name] = np.ones(shape, np.float32)
    return folder / "options.json", folder / "weights.hdf5"
