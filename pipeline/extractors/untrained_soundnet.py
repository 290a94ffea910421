"""Seeded weights of SoundNet-8."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from pipeline.extractors.seeded import normal
from pipeline.extractors.soundnet import AMPLITUDE, BLOCKS, HEADS, Convolution

# Root mean square of usual sound in [-1, 1].
LOUDNESS = 0.1

# How much the mean square of a rectified signal grows in a maximum over 4 or 8 steps.
MAXIMUM = 3.0


def write_soundnet(path: Path) -> None:
    """Write an untrained SoundNet-8, all eight layers, as safetensors.

    He et al. 2015: with filters of variance 2 / fan-in the mean square is the same before every
    ReLU. The batch norms divide by what is left: the scale of the input, the growth by pooling.
    """
    tensors: dict[str, np.ndarray] = {}
    channels, variance = 1, 2 * (LOUDNESS * AMPLITUDE) ** 2
    for k, block in BLOCKS.items():
        tensors |= _convolution(f"conv{k}", channels, block)
        norm = f"batchnorm{k}"
        tensors[f"{norm}.weight"] = np.ones(block.filters, np.float32)
        # Small thresholds: without any, features would only scale with loudness.
        tensors[f"{norm}.bias"] = normal(f"{norm}.bias", (block.filters,), 0.1)
        tensors[f"{norm}.running_mean"] = np.zeros(block.filters, np.float32)
        tensors[f"{norm}.running_var"] = np.full(block.filters, variance, np.float32)
        channels, variance = block.filters, MAXIMUM if block.pool > 1 else 1.0
    for name, head in HEADS.items():
        tensors |= _convolution(name, channels, head)
    save_file(tensors, path)


def _convolution(name: str, channels: int, shape: Convolution) -> dict[str, np.ndarray]:
    std = sqrt(2 / (channels * shape.kernel))
    weights = normal(f"{name}.weight", (shape.filters, channels, shape.kernel), std)
    return {f"{name}.weight": weights, f"{name}.bias": np.zeros(shape.filters, np.float32)}
