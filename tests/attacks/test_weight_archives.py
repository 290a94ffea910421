"""SoundNet's archive made to unpack to more than it should."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest
from model_files import Write, told

from pipeline.extractors.pretrained import convert_soundnet

attack = pytest.mark.attack
pytestmark = pytest.mark.usefixtures("bounded")


def archive_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("models/soundnet8_final.t7", bytes(64 << 20))


def lying_archive(path: Path) -> None:
    """An archive whose directory tells a tenth of what its member unpacks to."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("soundnet8_final.t7", bytes(1 << 20))
    content = path.read_bytes().replace(struct.pack("<I", 1 << 20), struct.pack("<I", 1000))
    path.write_bytes(content)


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(
            archive_bomb,
            marks=attack(
                "Model files",
                "a zip bomb for SoundNet's archive",
                "{file}: models/soundnet8_final.t7 unpacks to 67,108,864 bytes; fetch it again",
            ),
        ),
        pytest.param(
            lying_archive,
            marks=attack(
                "Model files",
                "an archive that tells less than it unpacks to",
                "{file}: Bad CRC-32 for file 'soundnet8_final.t7'; fetch it again",
            ),
        ),
    ],
)
def test_soundnets_archive_is_refused(tmp_path: Path, write: Write, ends: str) -> None:
    path = tmp_path / "soundnet_models_public.zip"
    write(path)
    found = told(lambda: convert_soundnet(path, tmp_path / "out.safetensors"))
    assert found == ends.format(file=path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
