"""The published weights, converted once to the files that the extractors read."""

from __future__ import annotations

import lzma
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from pipeline.extractors import inception, soundnet
from pipeline.extractors.elmo_files import (
    Options,
    open_elmo,
    published_options,
    read_options,
    tensor_shapes,
)
from pipeline.extractors.obtain import obtain
from pipeline.extractors.published import SOUNDNET_MEMBER, needed
from pipeline.extractors.soundnet_files import read_soundnet
from pipeline.inputs.weight_files import check_shapes, read_state

# SoundNet's file has about 60 MB, and trained numbers do not shrink to a tenth.
LARGEST, RATIO = 1 << 30, 10
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(RuntimeError, EOFError, OSError, ValueError),
)


def obtain_all(model: str) -> dict[str, Path]:
    """Return the files that ELMo's `model` of params.yaml and the other networks need, verified.

    All before the first is converted: what is missing is told at once. Raises ValueError.
    """
    return {name: obtain(file) for name, file in needed(model).items()}


def convert_inception(source: Path, path: Path) -> None:
    """Write the tensors that features depend on as safetensors; raises ValueError for others."""
    state = read_state(source)
    inception.build_network(state, source)
    _save(inception.without_classifiers(state), path)


def convert_soundnet(source: Path, path: Path) -> None:
    """Write SoundNet-8's tensors as safetensors, from its authors' archive or any known file."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        if source.suffix == ".zip":
            source = unzip(source, SOUNDNET_MEMBER, Path(folder))
        _save(soundnet.build_network(read_soundnet(source), source).state_dict(), path)


def copy_elmo(
    options: Path, weights: Path, model: str, options_path: Path, weights_path: Path
) -> None:
    """Copy ELMo's files, which stay in their format, once they are found to be `model`'s."""
    expected = tensor_shapes(Options.model_validate(published_options(model)))
    check_shapes(options, f"ELMo's {model} model", tensor_shapes(read_options(options)), expected)
    with open_elmo(options, weights) as (_, read):
        for name in expected:
            read(name)
    shutil.copyfile(options, options_path)
    shutil.copyfile(weights, weights_path)


def unzip(archive: Path, name: str, folder: Path) -> Path:
    """Write the archive's one member of this file name to `folder`; raises ValueError."""
    try:
        with zipfile.ZipFile(archive) as file:
            members = [info for info in file.infolist() if Path(info.filename).name == name]
            if len(members) != 1:
                raise ValueError(f"holds {len(members)} files {name}, expected one")
            (member,) = members
            if member.file_size > min(LARGEST, RATIO * archive.stat().st_size):
                raise ValueError(f"{member.filename} unpacks to {member.file_size:,} bytes")
            with file.open(member) as source, (folder / name).open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    except _DAMAGE as error:
        told = " ".join(str(error).split())
        raise ValueError(f"{archive}: {told}; fetch it again") from None
    return folder / name


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    save_file({name: tensor.float().contiguous() for name, tensor in tensors.items()}, path)
