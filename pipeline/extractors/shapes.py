"""Whether a file holds the tensors of a network: the first that does not fit is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def check_shapes(path: Path, network: str, found: Shapes, expected: Shapes) -> None:
    """Raise ValueError with the first tensor of `expected` that `found` has not, or otherwise.

    After these, one that the network does not have. `network` is its name for the message.
    """
    for name, shape in expected.items():
        if name not in found:
            raise _misfit(path, network, f"tensor {name} is missing, expected {_text(shape)}")
        if found[name] != shape:
            told = f"tensor {name} is {_text(found[name])}, expected {_text(shape)}"
            raise _misfit(path, network, told)
    for name, shape in found.items():
        if name not in expected:
            raise _misfit(path, network, f"tensor {name} is {_text(shape)}, expected none")


def check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError naming the first tensor that is not of finite floating-point numbers."""
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise ValueError(f"{path}: tensor {name} is of {tensor.dtype}, expected real numbers")
        if not tensor.isfinite().all():
            raise ValueError(f"{path}: tensor {name} holds numbers that are not finite; replace it")


def _misfit(path: Path, network: str, what: str) -> ValueError:
    return ValueError(f"{path}: {what}; not the weights of {network}")


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape) or "one number"
