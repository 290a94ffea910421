"""SoundNet-8's published files, each to the same named tensors.

The authors' Torch7 model, the TensorFlow port's .npy, and the state dicts of PyTorch ports.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.extractors.array_pickle import read_array_pickle
from pipeline.extractors.soundnet_table import BLOCKS, EPSILON, HEADS, shapes
from pipeline.extractors.state_file import SUFFIXES, read_state
from pipeline.extractors.torch7 import Module, read_torch7

# Torch's names, and the port's, of a batch norm's tensors.
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
_PORT_HEADS = {"conv8_objs": "conv8", "conv8_scns": "conv8_2"}


def read_soundnet(path: Path) -> dict[str, Tensor]:
    """Read conv1.weight [filters, channels, kernel], conv1.bias, batchnorm1.weight and so on.

    What is there is returned, of whatever shape. Raises ValueError naming the file for one that is
    not of these formats, cannot be read, or is no network.
    """
    if path.suffix == ".t7":
        return _tensors(_from_torch7(path, read_torch7(path)))
    if path.suffix == ".npy":
        return _tensors(_from_port(path, read_array_pickle(path)))
    if path.suffix in SUFFIXES:
        state = read_state(path)
        # Two-dimensional ports have a last dimension of 1.
        return {name: t.squeeze(-1) if t.ndim == 4 else t for name, t in state.items()}
    allowed = ", ".join((".t7", ".npy", *SUFFIXES))
    raise ValueError(f"{path}: not a file of SoundNet's weights; allowed: {allowed}")


def _tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: _tensor(array, shapes().get(name)) for name, array in arrays.items()}


def _tensor(array: np.ndarray, expected: tuple[int, ...] | None) -> Tensor:
    if array.shape == expected:
        # What is too large for float32 becomes infinite, and is refused as that.
        with np.errstate(over="ignore", invalid="ignore"):
            return torch.from_numpy(array.astype(np.float32))
    # A few bytes can declare an array of any size: what will be refused is never filled in.
    return torch.empty(array.shape, device="meta")


def _from_torch7(path: Path, network: Any) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    convolutions = 0
    for module in _layers(network):
        kind = module.name.rpartition(".")[2]
        if kind.startswith("SpatialConvolution"):
            convolutions += 1
            arrays |= _convolution(module, convolutions)
        elif kind.endswith("BatchNormalization"):
            arrays |= _batch_norm(module, f"batchnorm{convolutions}")
    if not convolutions:
        raise ValueError(
            f"{path}: holds no convolution; expected SoundNet-8 as its authors saved it"
        )
    return arrays


def _layers(network: Any) -> Iterator[Module]:
    """Yield the modules in their order, each once, those of containers in their place."""
    seen: set[int] = set()
    waiting = [network]
    while waiting:
        module = waiting.pop()
        if not isinstance(module, Module) or id(module) in seen:
            continue
        seen.add(id(module))
        yield module
        parts = module.fields.get("modules")
        if isinstance(parts, dict):
            numbers = sorted(key for key in parts if isinstance(key, int))
            waiting += [parts[number] for number in reversed(numbers)]


def _convolution(module: Module, number: int) -> dict[str, np.ndarray]:
    weight = _array(module, "weight")
    if weight is None:
        return {}
    name = f"conv{number}"
    if number > max(BLOCKS):
        # Objects and scenes lie side by side: their number of classes tells them apart.
        heads = {head.filters: name for name, head in HEADS.items()}
        name = heads.get(weight.shape[0], name)
    if weight.ndim == 2:  # as SpatialConvolutionMM keeps it, channels and kernel in one
        channels = module.fields.get("nInputPlane")
        if isinstance(channels, float) and channels >= 1 and weight.shape[1] % channels == 0:
            weight = weight.reshape(weight.shape[0], int(channels), -1)
    arrays = {f"{name}.weight": weight[..., 0] if weight.ndim == 4 else weight}
    bias = _array(module, "bias")
    return arrays if bias is None else arrays | {f"{name}.bias": bias}


def _batch_norm(module: Module, name: str) -> dict[str, np.ndarray]:
    found = {key: _array(module, key) for key in ("weight", "bias", "running_mean", "running_var")}
    deviation = _array(module, "running_std")
    inverse = found["running_var"] is None and deviation is not None
    variance = deviation if inverse else found["running_var"]
    # A few bytes can declare an array of any size: what will be refused is not computed with.
    if variance is not None and variance.shape == shapes().get(f"{name}.running_var"):
        variance = _variance(variance, module.fields.get("eps"), inverse)
    found["running_var"] = variance
    return {f"{name}.{key}": array for key, array in found.items() if array is not None}


def _variance(array: np.ndarray, own: object, inverse: bool) -> np.ndarray:
    """Bring a variance, or what Torch kept in its place, to this network's epsilon."""
    epsilon = own if isinstance(own, float) else EPSILON
    if inverse:
        # Torch before 2016 kept 1 / sqrt(variance + epsilon) under the name of a deviation.
        with np.errstate(divide="ignore", over="ignore"):
            array = array.astype(np.float64) ** -2 - epsilon
    return array if epsilon == EPSILON else array + (epsilon - EPSILON)


def _array(module: Module, name: str) -> np.ndarray | None:
    value = module.fields.get(name)
    return value if isinstance(value, np.ndarray) and value.size else None


def _from_port(path: Path, layers: Any) -> dict[str, np.ndarray]:
    if not isinstance(layers, dict) or not all(isinstance(v, dict) for v in layers.values()):
        raise ValueError(
            f"{path}: not a table of layers; expected sound8.npy of the TensorFlow port"
        )
    arrays: dict[str, np.ndarray | None] = {}
    names = {f"conv{k}": f"conv{k}" for k in BLOCKS} | _PORT_HEADS
    for ours, theirs in names.items():
        layer = layers.get(theirs, {})
        weights = layer.get("weights")
        if isinstance(weights, np.ndarray) and weights.ndim == 4:  # [kernel, 1, in, out]
            arrays[f"{ours}.weight"] = weights[:, 0].transpose(2, 1, 0)
        arrays[f"{ours}.bias"] = layer.get("biases")
        for name, port in _NORM.items() if ours not in HEADS else ():
            arrays[f"batchnorm{ours[4:]}.{name}"] = layer.get(port)
    return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}
