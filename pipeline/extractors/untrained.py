"""Seeded, untrained weights in the official file formats, so that everything runs offline."""

from __future__ import annotations

import json
import zlib
from math import prod, sqrt
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from safetensors.numpy import save
from torchvision.models import Inception3

from pipeline.extractors.elmo_files import Options, published_options
from pipeline.extractors.elmo_files import tensor_shapes as elmo_shapes
from pipeline.extractors.elmo_layers import PADDING
from pipeline.extractors.soundnet_layers import AMPLITUDE, BLOCKS, Network
from pipeline.ground.temporaries import write_bytes, write_text
from pipeline.inputs.hdf5 import allocate, new_hdf5
from pipeline.inputs.weight_files import expected_shapes

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

# ELMo: distinguishes the seeds of the matrices of one group.
_ELMO_SEEDS = {"W_transform": "t", "W_carry": "c", "W_0": "w", "W_P_0": "p"}

# SoundNet. Root mean square of usual sound in [-1, 1], and how much a maximum over 4 or 8 steps
# raises the mean square of a rectified signal.
LOUDNESS = 0.1
POOLING_GAIN = 3.0


def normal(name: str, shape: tuple[int, ...], std: float) -> Float32[np.ndarray, ...]:
    """Draw a normal tensor that depends only on `SEED` and its name.

    NumPy's generator gives the same numbers on every processor, which torch's does not promise.
    """
    generator = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    return generator.standard_normal(shape, dtype=np.float32) * np.float32(std)


def write_inception(path: Path) -> None:
    """Write an untrained Inception V3 as safetensors, scaled so that pictures stay distinct.

    With He initialisation the vectors of any two pictures become nearly parallel over 48 layers,
    because ReLU makes all means positive and these add up. Here each filter tap's weights sum to
    zero over the input channels, which removes the mean, and have variance 1 / (fan-in Var relu),
    so that the variance stays 1. Without a bias, ReLU would then push similar pictures apart; with
    the bias of 2 the blocks are nearly linear.
    """
    with torch.device("meta"):
        state = Inception3(init_weights=False).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    write_bytes(
        path, save({name: _inception_tensor(name, shape) for name, shape in shapes.items()})
    )


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
    near 1 from layer to layer.
    """
    options = published_options(model)
    write_text(options_path, json.dumps(options, indent=2) + "\n")
    filters = [count for _, count in options["char_cnn"]["filters"]]
    with new_hdf5(weights_path) as file:
        for name, shape in elmo_shapes(Options.model_validate(options)).items():
            tensor = _elmo_tensor(name, shape, filters)
            allocate(file, tensor.nbytes)
            file[name] = tensor


def _elmo_tensor(name: str, shape: tuple[int, ...], filters: list[int]) -> np.ndarray:
    group, _, kind = name.rpartition("/")
    if kind == "char_embed":
        weights = normal(kind, shape, 1.0)
        # With other padding, most of a word's maxima would be those of the padding.
        weights[PADDING] = 0
        return weights
    if kind == "b_carry":
        return np.full(shape, -2, np.float32)  # as training begins: the gate carries its input
    if kind == "B" or kind.startswith("b_"):
        return np.zeros(shape, np.float32)
    if kind == "W_proj":
        return _projection(shape, filters)
    seed = f"{group}{_ELMO_SEEDS[kind]}" if kind in _ELMO_SEEDS else kind.replace("W_cnn_", "cnn")
    # The projection of a cell restores the scale after sigmoid(o) tanh(c), which is about 0.3.
    return normal(seed, shape, (3 if kind == "W_P_0" else 1) / sqrt(prod(shape[:-1])))


def _projection(shape: tuple[int, ...], filters: list[int]) -> np.ndarray:
    """Draw a projection that removes what all words have in common.

    Maxima are positive and about equal within the filters of one width, and make up 80 % of the
    similarity of any two words; weights that sum to zero over these filters cancel that.
    """
    weights = normal("CNN_proj", shape, 2 / sqrt(shape[0]))
    for rows in np.split(weights, np.cumsum(filters)[:-1]):
        rows -= rows.mean(axis=0)
    return weights


def write_soundnet(path: Path) -> None:
    """Write an untrained SoundNet-8, all eight layers, as safetensors.

    With filters of variance 2 / fan-in (He et al. 2015) the mean square is the same before every
    ReLU. The batch norms divide by the scale of the input and by the gain of pooling.
    """
    with torch.device("meta"):
        shapes = expected_shapes(Network())
    write_bytes(path, save({name: _soundnet_tensor(name, shape) for name, shape in shapes.items()}))


def _soundnet_tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
    layer, _, kind = name.rpartition(".")
    if layer.startswith("conv"):
        if kind == "bias":
            return np.zeros(shape, np.float32)
        return normal(name, shape, sqrt(2 / prod(shape[1:])))
    if kind == "bias":
        # Without these small thresholds features would only scale with loudness.
        return normal(name, shape, 0.1)
    if kind == "running_var":
        number = int(layer.removeprefix("batchnorm"))
        return np.full(shape, _soundnet_variance(number), np.float32)
    return np.full(shape, float(kind == "weight"), np.float32)


def _soundnet_variance(number: int) -> float:
    """Return the variance before the batch norm of block `number`."""
    if number == 1:
        return 2 * (LOUDNESS * AMPLITUDE) ** 2
    return POOLING_GAIN if BLOCKS[number - 1].pool > 1 else 1.0
