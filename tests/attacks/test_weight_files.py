"""State dicts made to do harm: nothing in them is run, and they take no more than their size."""

from __future__ import annotations

import collections
import io
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch

from pipeline.extractors import InceptionV3, SoundNet
from tests.attacks.model_files import Harm, Write, cases, raw, refusal

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


def test_a_header_of_a_terabyte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 40) + b'{"a": {}}')
    expected = "not a readable weights file (Error while deserializing header: header too large)"
    assert refusal(lambda: SoundNet.from_file(path)) == f"{path}: {expected}"
