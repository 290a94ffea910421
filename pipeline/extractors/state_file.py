"""Named tensors from .safetensors, or from torch's .pth without running what is pickled there."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

TORCH = (".pth", ".pt")
SUFFIXES = (".safetensors", *TORCH)


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file; raises ValueError with one line that names it and the fault."""
    if path.suffix == ".safetensors":
        return _safetensors(path)
    if path.suffix not in TORCH:
        raise ValueError(f"{path}: not a weights file; allowed: {', '.join(SUFFIXES)}")
    _check_zip(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        told = "holds more than tensors or is damaged; nothing in it was run"
        raise ValueError(f"{path}: {told}") from None
    except Exception as error:
        # Torch raises whatever a damaged file makes it stumble over.
        raise _unreadable(path, error) from None
    return _named_tensors(path, content)


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None


def _check_zip(path: Path) -> None:
    """Refuse what torch never writes: members that grow when they are read."""
    try:
        if not zipfile.is_zipfile(path):
            return  # torch's older format, which is no archive
        with zipfile.ZipFile(path) as archive:
            stored = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _unreadable(path, error) from None
    if stored > path.stat().st_size:
        raise ValueError(f"{path}: {path.stat().st_size:,} bytes that declare {stored:,}")


def _named_tensors(path: Path, content: Any) -> dict[str, Tensor]:
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) and tensor.layout == torch.strided
        for name, tensor in content.items()
    ):
        raise ValueError(f"{path}: not a table of tensors by name; save a model's state_dict()")
    # As torch.nn.DataParallel names them.
    return {name.removeprefix("module."): tensor.detach() for name, tensor in content.items()}


def _unreadable(path: Path, error: Exception) -> ValueError:
    told = " ".join(str(error).split())[:200]
    return ValueError(f"{path}: not a readable weights file ({told or type(error).__name__})")
