"""Seeded, untrained weights in the official file formats, so that everything runs offline."""

from __future__ import annotations

import json
import zlib
from math import sqrt
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from jaxtyping import Float32
from safetensors.numpy import save_file
from torchvision.models import Inception3

from pipeline.extractors.elmo_files import cell_name, published_options
from pipeline.extractors.elmo_layers import PADDING, SYMBOLS
from pipeline.extractors.soundnet import AMPLITUDE
from pipeline.extractors.soundnet_files import BLOCKS, HEADS, Convolution

SEED = 0

# Inception V3. Share of a first-layer filter's mean that is removed: the filters then respond to
# edges and textures as well as to colours, to which filters of mean zero would be blind.
CONTRAST = 0.85

# Batch norm's bias, before the ReLU of values of variance 1 or less. The stem is non-linear, the
# blocks nearly linear, the last layers rectify.
STEM_BIAS, BLOCK_BIAS, LAST_BIAS = 1.0, 2.0, 0.2

# Variance of relu(z + bias) for normal z, by bias.
RECTIFIED_VARIANCE = {STEM_BIAS: 0.751, BLOCK_BIAS: 0.960}

# The convolutions whose outputs are pooled to the features.
_LAST_BRANCHES = ["1x1", "3x3_2a", "3x3_2b", "3x3dbl_3a", "3x3dbl_3b", "_pool"]
LAST = tuple(f"Mixed_7c.branch{branch}." for branch in _LAST_BRANCHES)

# SoundNet. Root mean square of usual sound in [-1, 1], and how much a maximum over 4 or 8 steps
# raises the mean square of a rectified signal.
LOUDNESS = 0.1
POOLING_GAIN = 3.0


def normal(name: str, shape: tuple[int, ...], std: float) -> Float32[np.ndarray, ...]:
    """Draw a normal tensor that depends on `SEED` and its name alone.

    NumPy's generator gives the same numbers on every processor, which torch's does not promise.
    """
    generator = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    return generator.standard_normal(shape, dtype=np.float32) * np.float32(std)


def write_inception(path: Path) -> None:
    """Write an untrained Inception V3 as safetensors, scaled so that pictures stay distinct.

    With He initialisation the vectors of any two pictures become nearly parallel over 48 layers,
    because ReLU makes all means positive and these add up. Here each filter tap's weights sum to
    zero over the input channels, which removes the mean, and have variance 1 / (fan-in Var relu),
    which keeps the variance at 1. ReLU alone would then push similar pictures apart; the blocks'
    bias of 2 keeps them nearly linear.
    """
    with torch.device("meta"):
        state = Inception3(init_weights=False).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    save_file({name: _inception_tensor(name, shape) for name, shape in shapes.items()}, path)


def _inception_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name == "Conv2d_1a_3x3.conv.weight":
        weights = normal(name, shape, 2 / sqrt(np.prod(shape[1:])))
        return weights - np.float32(CONTRAST) * weights.mean(axis=(2, 3), keepdims=True)
    if name.endswith(("conv.weight", "fc.weight")):
        after_stem = name.startswith(("Conv2d_", "Mixed_5b."))
        variance = RECTIFIED_VARIANCE[STEM_BIAS if after_stem else BLOCK_BIAS]
        weights = normal(name, shape, 1 / sqrt(np.prod(shape[1:]) * variance))
        return weights - weights.mean(axis=1, keepdims=True)
    if name.endswith("bn.bias"):
        return np.full(shape, _inception_bias(name), np.float32)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    return np.full(shape, float(name.endswith(("bn.weight", "running_var"))), np.float32)


def _inception_bias(name: str) -> float:
    if name.startswith("Conv2d_"):
        return STEM_BIAS
    return LAST_BIAS if name.startswith(LAST) else BLOCK_BIAS


def write_elmo(options_path: Path, weights_path: Path, model: str = "small") -> None:
    """Write options.json and weights.hdf5 of an untrained model of a published size.

    Scales keep words distinct and memory cells unsaturated: the root mean square of values stays
    near 1 from layer to layer. Raises ValueError for an unknown model.
    """
    options = published_options(model)
    options_path.write_text(json.dumps(options, indent=2) + "\n", encoding="utf-8")
    with h5py.File(weights_path, "w") as file:  # h5py writes no times by default
        for name, tensor in _character_cnn(options).items():
            file[name] = tensor
        for direction in (0, 1):
            for layer in range(options["lstm"]["n_layers"]):
                for name, tensor in _cell(options["lstm"], cell_name(direction, layer)).items():
                    file[name] = tensor


def _character_cnn(options: dict[str, Any]) -> dict[str, np.ndarray]:
    cnn, width = options["char_cnn"], options["lstm"]["projection_dim"]
    depth = cnn["embedding"]["dim"]
    embedding = normal("char_embed", (SYMBOLS - 1, depth), 1.0)
    # With other padding, most of a word's maxima would be those of the padding.
    embedding[PADDING] = 0
    tensors = {"char_embed": embedding}
    for k, (span, filters) in enumerate(cnn["filters"]):
        shape = (1, span, depth, filters)
        tensors[f"CNN/W_cnn_{k}"] = normal(f"cnn{k}", shape, 1 / sqrt(span * depth))
        tensors[f"CNN/b_cnn_{k}"] = np.zeros(filters, np.float32)
    n = sum(filters for _, filters in cnn["filters"])
    for k in range(cnn["n_highway"]):
        highway = f"CNN_high_{k}"
        tensors[f"{highway}/W_transform"] = normal(f"{highway}t", (n, n), 1 / sqrt(n))
        tensors[f"{highway}/b_transform"] = np.zeros(n, np.float32)
        tensors[f"{highway}/W_carry"] = normal(f"{highway}c", (n, n), 1 / sqrt(n))
        # As training begins: the gate mostly carries its input.
        tensors[f"{highway}/b_carry"] = np.full(n, -2, np.float32)
    tensors["CNN_proj/W_proj"] = _projection(cnn["filters"], n, width)
    tensors["CNN_proj/b_proj"] = np.zeros(width, np.float32)
    return tensors


def _projection(filters: list[list[int]], n: int, width: int) -> np.ndarray:
    """Draw a projection that removes what all words have in common.

    Maxima are positive and about equal within the filters of one width, and make up 80 % of the
    similarity of any two words; weights that sum to zero over these filters cancel that.
    """
    weights = normal("CNN_proj", (n, width), 2 / sqrt(n))
    start = 0
    for _, count in filters:
        weights[start : start + count] -= weights[start : start + count].mean(axis=0)
        start += count
    return weights


def _cell(lstm: dict[str, Any], name: str) -> dict[str, np.ndarray]:
    memory, width = lstm["dim"], lstm["projection_dim"]
    # Half of the gates' variance comes from the input, half from the step before. The projection
    # restores the scale after sigmoid(o) tanh(c), which is about 0.3.
    return {
        f"{name}/W_0": normal(f"{name}w", (2 * width, 4 * memory), 1 / sqrt(2 * width)),
        f"{name}/B": np.zeros(4 * memory, np.float32),
        f"{name}/W_P_0": normal(f"{name}p", (memory, width), 3 / sqrt(memory)),
    }


def write_soundnet(path: Path) -> None:
    """Write an untrained SoundNet-8, all eight layers, as safetensors.

    With filters of variance 2 / fan-in (He et al. 2015) the mean square is the same before every
    ReLU. The batch norms divide by the scale of the input and by the gain of pooling.
    """
    tensors: dict[str, np.ndarray] = {}
    channels, variance = 1, 2 * (LOUDNESS * AMPLITUDE) ** 2
    for k, block in BLOCKS.items():
        tensors |= _sound_filters(f"conv{k}", channels, block)
        norm = f"batchnorm{k}"
        tensors[f"{norm}.weight"] = np.ones(block.filters, np.float32)
        # Without these small thresholds features would only scale with loudness.
        tensors[f"{norm}.bias"] = normal(f"{norm}.bias", (block.filters,), 0.1)
        tensors[f"{norm}.running_mean"] = np.zeros(block.filters, np.float32)
        tensors[f"{norm}.running_var"] = np.full(block.filters, variance, np.float32)
        channels, variance = block.filters, POOLING_GAIN if block.pool > 1 else 1.0
    for name, head in HEADS.items():
        tensors |= _sound_filters(name, channels, head)
    save_file(tensors, path)


def _sound_filters(name: str, channels: int, shape: Convolution) -> dict[str, np.ndarray]:
    std = sqrt(2 / (channels * shape.kernel))
    weights = normal(f"{name}.weight", (shape.filters, channels, shape.kernel), std)
    return {f"{name}.weight": weights, f"{name}.bias": np.zeros(shape.filters, np.float32)}
