"""Weight files: named tensors read without running pickled code, checked against a network."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from pipeline.ground.temporaries import write_bytes

TORCH_SUFFIXES = (".pth", ".pt")
STATE_SUFFIXES = (".safetensors", *TORCH_SUFFIXES)

_COUNT = "num_batches_tracked"  # of a batch norm, which features do not depend on

Shapes = Mapping[str, tuple[int, ...]]


def require_weights(path: str | Path) -> Path:
    """Return `path` if the file exists, else raise ValueError that says how to get it."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such weights file; run the weights stage first")
    return path


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a .safetensors, .pth or .pt file.

    Pickled files are read with torch's `weights_only`. Raises ValueError in one line that names
    the file and what is wrong with it.
    """
    if path.suffix not in STATE_SUFFIXES:
        raise ValueError(f"{path}: not a weights file; allowed: {', '.join(STATE_SUFFIXES)}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        _check_zip(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        reason = "holds more than tensors or is damaged; nothing in it was run"
        raise ValueError(f"{path}: {reason}") from None
    except Exception as error:
        # A damaged file makes torch raise many kinds of exceptions.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"{path}: not a readable weights file ({reason})") from None
    return _named_tensors(path, content)


def write_state(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors as float32 to a .safetensors file."""
    write_bytes(path, save({name: t.float().contiguous() for name, t in tensors.items()}))


def load_weights(
    network: nn.Module, state: Mapping[str, Tensor], path: Path, network_name: str
) -> None:
    """Load a state dict into a network as float32, except for norms' counts of batches.

    Raises ValueError as `check_tensors` does.
    """
    state = {name: tensor for name, tensor in state.items() if not name.endswith(_COUNT)}
    check_tensors(path, network_name, state, expected_shapes(network))
    network.load_state_dict({name: t.float() for name, t in state.items()}, assign=True)


def expected_shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor that a network's weights file must have."""
    return shapes_of({k: v for k, v in network.state_dict().items() if not k.endswith(_COUNT)})


def check_tensors(
    path: Path, network: str, tensors: Mapping[str, Tensor], expected: Shapes
) -> None:
    """Raise ValueError for the first tensor of a wrong shape, or not of finite real numbers."""
    check_shapes(path, network, shapes_of(tensors), expected)
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise ValueError(f"{path}: tensor {name} is of {tensor.dtype}, expected real numbers")
        if not tensor.isfinite().all():
            raise ValueError(f"{path}: tensor {name} holds numbers that are not finite; replace it")


def check_shapes(path: Path, network: str, shapes: Shapes, expected: Shapes) -> None:
    """Raise ValueError for the first tensor that is missing, of another shape, or not expected."""
    for name in [*expected, *shapes]:
        if shapes.get(name) == expected.get(name):
            continue
        size = f"is {shape_text(shapes[name])}" if name in shapes else "is missing"
        other = shape_text(expected[name]) if name in expected else "none"
        raise ValueError(
            f"{path}: tensor {name} {size}, expected {other}; not the weights of {network}"
        )


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _check_zip(path: Path) -> None:
    """Refuse compressed archives, which torch never writes: they can unpack to any size."""
    if not zipfile.is_zipfile(path):
        return  # torch's format before 1.6
    with zipfile.ZipFile(path) as archive:
        declared = sum(info.file_size for info in archive.infolist())
    if declared > path.stat().st_size:
        raise ValueError(f"{path.stat().st_size:,} bytes that declare {declared:,}")


def _named_tensors(path: Path, content: Any) -> dict[str, Tensor]:
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) and tensor.layout == torch.strided
        for name, tensor in content.items()
    ):
        raise ValueError(f"{path}: not a table of tensors by name; save a model's state_dict()")
    # torch.nn.DataParallel adds the prefix.
    return {name.removeprefix("module."): tensor.detach() for name, tensor in content.items()}


def shape_text(shape: tuple[int, ...]) -> str:
    """Write a shape for people: `64x3`."""
    return "x".join(str(size) for size in shape) or "one number"
