"""State dicts made to do harm: nothing in them is run, and they take no more than their size."""

from __future__ import annotations

import collections
import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from model_files import Harm, Write, cases, raw, refusal

from pipeline.extractors import InceptionV3, SoundNet

pytestmark = pytest.mark.usefixtures("bounded")

NOT_RUN = "holds more than tensors or is damaged; nothing in it was run"


def pickled_command(path: Path) -> None:
    torch.save({"conv1.weight": Harm()}, path)


def compressed(path: Path) -> None:
    """A .pth whose tensor is stored compressed, a thousand times larger than the file."""
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(1 << 24)}, buffer)
    with (
        zipfile.ZipFile(buffer) as plain,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
    ):
        for info in plain.infolist():
            packed.writestr(info.filename, plain.read(info))


def repeated_tensor(path: Path) -> None:
    """A tensor of 2**50 numbers over the storage of one."""
    state = collections.OrderedDict({"conv1.weight": torch.zeros(1).expand(1 << 25, 1 << 25)})
    torch.save(state, path)


PICKLED: dict[str, tuple[Write, str]] = {
    "a command": (pickled_command, NOT_RUN),
    "a command in torch's older format": (raw(pickle.dumps(Harm(), 2)), NOT_RUN),
    "a zip bomb": (compressed, " bytes that declare 67,"),
    "2**50 numbers over one": (
        repeated_tensor,
        "tensor conv1.weight is 33554432x33554432, expected 16x1x64; not the weights of SoundNet-8",
    ),
}


@pytest.mark.parametrize(("write", "message"), cases(PICKLED))
def test_a_pickled_state_is_refused(tmp_path: Path, write: Write, message: str) -> None:
    path = tmp_path / "soundnet8.pth"
    write(path)
    line = refusal(lambda: SoundNet.from_file(path))
    assert line.startswith(f"{path}: ")
    assert message in line


def test_inceptions_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "inception.pth"
    pickled_command(path)
    assert refusal(lambda: InceptionV3.from_file(path)) == f"{path}: {NOT_RUN}"


def safetensors(header: dict[str, object] | bytes, data: bytes, size: int | None = None) -> Write:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return raw(struct.pack("<Q", len(text) if size is None else size) + text + data)


def floats(start: int, end: int, *shape: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}


SAFETENSORS: dict[str, tuple[Write, str]] = {
    "tensors that overlap": (
        safetensors({"a": floats(0, 8, 2), "b": floats(4, 12, 2)}, bytes(12)),
        "invalid offset for tensor `b`",
    ),
    "a header of a terabyte": (
        safetensors({"a": floats(0, 8, 2)}, bytes(8), size=1 << 40),
        "header too large",
    ),
    "a terabyte of numbers": (
        safetensors({"a": floats(0, 1 << 40, 1 << 38)}, bytes(8)),
        "incomplete metadata, file not fully covered",
    ),
    "2**124 numbers": (
        safetensors({"a": floats(0, 8, 1 << 62, 1 << 62)}, bytes(8)),
        "overflow computing buffer size from shape and/or element type",
    ),
    "a header nested without end": (
        safetensors(b'{"a":' * 100_000, b""),
        "invalid JSON in header: recursion limit exceeded at line 1 column 636",
    ),
}


@pytest.mark.parametrize(("write", "message"), cases(SAFETENSORS))
def test_safetensors_are_refused(tmp_path: Path, write: Write, message: str) -> None:
    path = tmp_path / "weights.safetensors"
    write(path)
    expected = f"not a readable weights file (Error while deserializing header: {message})"
    assert refusal(lambda: SoundNet.from_file(path)) == f"{path}: {expected}"
