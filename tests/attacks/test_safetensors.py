"""Safetensors whose header does not fit the rest: refused by name."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from model_files import Write, cases, raw, told

from pipeline.extractors import InceptionV3, SoundNet

pytestmark = pytest.mark.usefixtures("bounded")


def safetensors(header: dict[str, object] | bytes, data: bytes, size: int | None = None) -> Write:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return raw(struct.pack("<Q", len(text) if size is None else size) + text + data)


def floats(start: int, end: int, *shape: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}


HEADER = "{file}: not a readable weights file (Error while deserializing header: "
FILES = [
    (
        "safetensors whose tensors overlap",
        "overlap.safetensors",
        safetensors({"a": floats(0, 8, 2), "b": floats(4, 12, 2)}, bytes(12)),
        f"{HEADER}invalid offset for tensor `b`)",
    ),
    (
        "safetensors with a header of a terabyte",
        "header.safetensors",
        safetensors({"a": floats(0, 8, 2)}, bytes(8), size=1 << 40),
        f"{HEADER}header too large)",
    ),
    (
        "safetensors that declare a terabyte of numbers",
        "large.safetensors",
        safetensors({"a": floats(0, 1 << 40, 1 << 38)}, bytes(8)),
        f"{HEADER}incomplete metadata, file not fully covered)",
    ),
    (
        "safetensors of 2**124 numbers",
        "overflow.safetensors",
        safetensors({"a": floats(0, 8, 1 << 62, 1 << 62)}, bytes(8)),
        f"{HEADER}overflow computing buffer size from shape and/or element type)",
    ),
    (
        "safetensors with bytes behind the last tensor",
        "behind.safetensors",
        safetensors({"a": floats(0, 8, 2)}, bytes(80)),
        f"{HEADER}incomplete metadata, file not fully covered)",
    ),
    (
        "safetensors with a header nested without end",
        "nested.safetensors",
        safetensors(b'{"a":' * 100_000, b""),
        f"{HEADER}invalid JSON in header: recursion limit exceeded at line 1 column 636)",
    ),
]


@pytest.mark.parametrize(("name", "write"), cases(FILES))
def test_safetensors_are_refused(tmp_path: Path, name: str, write: Write, ends: str) -> None:
    write(tmp_path / name)
    for load in (SoundNet.from_file, InceptionV3.from_file):
        assert told(lambda load=load: load(tmp_path / name)) == ends.format(file=tmp_path / name)
