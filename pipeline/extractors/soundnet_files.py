"""SoundNet-8 in files: which tensor is which in each format.

The formats are the authors' Torch7 model, the TensorFlow port's .npy, and state dicts of PyTorch
ports.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.extractors.soundnet_layers import BLOCKS, EPSILON, HEADS
from pipeline.inputs.pickled_arrays import read_pickled_arrays
from pipeline.inputs.torch7 import Module, read_torch7
from pipeline.inputs.weight_files import STATE_SUFFIXES, read_state

# The port's names of a batch norm's tensors, and of the heads.
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
_PORT_HEADS = {"conv8_objs": "conv8", "conv8_scns": "conv8_2"}


def read_soundnet(path: Path) -> dict[str, Tensor]:
    """Read conv1.weight [filters, channels, kernel], conv1.bias, batchnorm1.weight and so on.

    All tensors of the file are returned, of any shape. Raises ValueError naming the file
    if its format is unknown or it cannot be read.
    """
    if path.suffix == ".t7":
        return _tensors(_from_torch7(read_torch7(path)))
    if path.suffix == ".npy":
        return _tensors(_from_port(read_pickled_arrays(path)))
    if path.suffix in STATE_SUFFIXES:
        # Ports with two-dimensional convolutions have a last dimension of 1.
        return {k: v.squeeze(-1) if v.ndim == 4 else v for k, v in read_state(path).items()}
    allowed = ", ".join((".t7", ".npy", *STATE_SUFFIXES))
    raise ValueError(f"{path}: not a file of SoundNet's weights; allowed: {allowed}")


def _tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    with np.errstate(over="ignore", invalid="ignore"):  # infinite numbers are refused later
        return {name: torch.from_numpy(a.astype(np.float32)) for name, a in arrays.items()}


def _from_torch7(network: Any) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    convolutions = 0
    for module in _modules(network):
        kind = module.name.rpartition(".")[2]
        if kind.startswith("SpatialConvolution"):
            convolutions += 1
            arrays |= _convolution(module, convolutions)
        elif kind.endswith("BatchNormalization"):
            arrays |= _batch_norm(module, f"batchnorm{convolutions}")
    return arrays


def _modules(network: Any) -> Iterator[Module]:
    """Yield each module once, in order; those of a container follow it."""
    visited: set[int] = set()
    stack = [network]
    while stack:
        module = stack.pop()
        if not isinstance(module, Module) or id(module) in visited:
            continue
        visited.add(id(module))
        yield module
        children = module.fields.get("modules")
        if isinstance(children, dict):
            numbers = sorted(key for key in children if isinstance(key, int))
            stack += [children[number] for number in reversed(numbers)]


def _convolution(module: Module, number: int) -> dict[str, np.ndarray]:
    arrays, name = _arrays(module), f"conv{number}"
    if "weight" not in arrays:
        return {}
    weight = arrays["weight"]
    if number > max(BLOCKS):
        # The heads for objects and scenes differ in their number of classes.
        heads = {head.filters: name for name, head in HEADS.items()}
        name = heads.get(len(weight), name)
    if weight.ndim == 2:  # SpatialConvolutionMM joins channels and kernel
        channels = module.fields.get("nInputPlane")
        if isinstance(channels, float) and channels >= 1 and weight.shape[1] % channels == 0:
            weight = weight.reshape(len(weight), int(channels), -1)
    arrays["weight"] = weight[..., 0] if weight.ndim == 4 else weight
    return {f"{name}.{key}": arrays[key] for key in ("weight", "bias") if key in arrays}


def _batch_norm(module: Module, name: str) -> dict[str, np.ndarray]:
    arrays, epsilon = _arrays(module), module.fields.get("eps")
    if not isinstance(epsilon, float):
        epsilon = EPSILON
    if "running_std" in arrays and "running_var" not in arrays:
        # Torch before 2016 stored 1 / sqrt(variance + epsilon) as running_std.
        with np.errstate(divide="ignore", over="ignore"):
            arrays["running_var"] = arrays["running_std"].astype(np.float64) ** -2 - epsilon
    if "running_var" in arrays and epsilon != EPSILON:
        arrays["running_var"] = arrays["running_var"] + (epsilon - EPSILON)  # our network's
    return {f"{name}.{key}": arrays[key] for key in _NORM if key in arrays}


def _arrays(module: Module) -> dict[str, np.ndarray]:
    """Return the fields that are arrays and not empty."""
    return {k: v for k, v in module.fields.items() if isinstance(v, np.ndarray) and v.size}


def _from_port(layers: dict[str, dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray | None] = {}
    for ours, theirs in ({f"conv{k}": f"conv{k}" for k in BLOCKS} | _PORT_HEADS).items():
        layer = layers.get(theirs, {})
        weights = layer.get("weights")
        if weights is not None and weights.ndim == 4:  # [kernel, 1, in, out]
            arrays[f"{ours}.weight"] = weights[:, 0].transpose(2, 1, 0)
        arrays[f"{ours}.bias"] = layer.get("biases")
        for name, port in _NORM.items() if ours not in HEADS else ():
            arrays[f"batchnorm{ours[4:]}.{name}"] = layer.get(port)
    return {name: array for name, array in arrays.items() if array is not None}
