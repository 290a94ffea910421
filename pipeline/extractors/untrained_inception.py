"""Seeded weights of Inception V3 under torchvision's names."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torchvision.models import Inception3

from pipeline.extractors.seeded import normal

# Share of a first-layer filter's mean that is taken out: it then sees edges and textures beside
# colours, to which the network would be blind without any mean.
CONTRAST = 0.85

# Batch norm's bias, before the ReLU of values of variance 1 or less: the convolutions before the
# first block bend their input, the blocks hardly do, the last layers rectify.
STEM_BIAS, BLOCK_BIAS, LAST_BIAS = 1.0, 2.0, 0.2

# Variance of relu(z + bias) for normal z, by bias.
RECTIFIED_VARIANCE = {STEM_BIAS: 0.751, BLOCK_BIAS: 0.960}

# The convolutions whose outputs are pooled to the features.
LAST = tuple(
    f"Mixed_7c.{branch}."
    for branch in (
        "branch1x1",
        "branch3x3_2a",
        "branch3x3_2b",
        "branch3x3dbl_3a",
        "branch3x3dbl_3b",
        "branch_pool",
    )
)


def write_inception(path: Path) -> None:
    """Write an untrained Inception V3 as safetensors, with scales that let pictures be told apart.

    With the usual He initialisation, the vectors of any two pictures become nearly parallel on
    the way through 48 layers, as ReLU makes all means positive and these add up. Here each filter
    tap's weights add up to zero over the input channels, which takes the mean out exactly, and
    have variance 1 / (fan-in Var relu), which keeps the variance at 1. ReLUs alone would then
    make two like pictures unlike (chaos): the blocks' bias of 2 keeps them near linear.
    """
    with torch.device("meta"):
        shapes = Inception3(init_weights=False).state_dict()
    save_file({name: _tensor(name, tuple(tensor.shape)) for name, tensor in shapes.items()}, path)


def _tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name == "Conv2d_1a_3x3.conv.weight":
        return _first_filters(name, shape)
    if name.endswith(("conv.weight", "fc.weight")):
        return _centred(name, shape)
    if name.endswith("bn.bias"):
        return np.full(shape, _bias(name), np.float32)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    return np.full(shape, float(name.endswith(("bn.weight", "running_var"))), np.float32)


def _first_filters(name: str, shape: tuple[int, ...]) -> np.ndarray:
    weights = normal(name, shape, 2 / sqrt(np.prod(shape[1:])))
    return weights - np.float32(CONTRAST) * weights.mean(axis=(2, 3), keepdims=True)


def _centred(name: str, shape: tuple[int, ...]) -> np.ndarray:
    after_stem = name.startswith(("Conv2d_", "Mixed_5b."))
    variance = RECTIFIED_VARIANCE[STEM_BIAS if after_stem else BLOCK_BIAS]
    weights = normal(name, shape, 1 / sqrt(np.prod(shape[1:]) * variance))
    return weights - weights.mean(axis=1, keepdims=True)


def _bias(name: str) -> float:
    if name.startswith("Conv2d_"):
        return STEM_BIAS
    return LAST_BIAS if name.startswith(LAST) else BLOCK_BIAS
