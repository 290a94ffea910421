"""Torch's pickles made to do harm: nothing in them is run, and they unpack to no more."""

from __future__ import annotations

import collections
import io
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from model_files import Harm, Write, cases, raw, told

from pipeline.extractors import InceptionV3, SoundNet

pytestmark = pytest.mark.usefixtures("bounded")

RUN = "holds more than tensors or is damaged; nothing in it was run"


def tar_of_pickle(path: Path) -> None:
    torch.save({"conv1.weight": Harm()}, path)


def compressed_pth(path: Path) -> None:
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


FILES = [
    (
        "a pickle that runs a command, as .pth",
        "soundnet.pth",
        tar_of_pickle,
        f"{{file}}: {RUN}",
    ),
    (
        "a pickle that runs a command, as .pth of torch's older format",
        "old.pth",
        raw(pickle.dumps(Harm(), 2)),
        f"{{file}}: {RUN}",
    ),
    (
        "a .pth that unpacks to a thousand times its size",
        "bomb.pth",
        compressed_pth,
        "{file}: {size} bytes that declare {declared}",
    ),
    (
        "a .pth with a tensor of 2**50 numbers over one",
        "large.pth",
        repeated_tensor,
        "{file}: tensor conv1.weight is 33554432x33554432, expected 16x1x64; not the weights of "
        "SoundNet-8",
    ),
]


@pytest.mark.parametrize(("name", "write"), cases(FILES))
def test_soundnets_file_is_refused(tmp_path: Path, name: str, write: Write, ends: str) -> None:
    path = tmp_path / name
    write(path)
    size = path.stat().st_size
    found = told(lambda: SoundNet.from_file(path))
    declared = found.rpartition(" ")[2]
    assert found == ends.format(file=path, size=f"{size:,}", declared=declared)


def test_inceptions_pickle_is_refused(tmp_path: Path) -> None:
    tar_of_pickle(tmp_path / "inception.pth")
    found = told(lambda: InceptionV3.from_file(tmp_path / "inception.pth"))
    assert found == f"{tmp_path}/inception.pth: {RUN}"
