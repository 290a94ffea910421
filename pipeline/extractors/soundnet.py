"""SoundNet-8 (Aytar et al. 2016): a waveform to the features of one of its layers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.extractors.digest import require_weights, sha256_of_files


class Convolution(NamedTuple):
    """One row of the network's table; `pool` is window and stride of the maximum, 1 for none."""

    filters: int
    kernel: int
    stride: int
    padding: int
    pool: int = 1


# Aytar et al. 2016, the 8-layer network as the authors released it.
BLOCKS = {
    1: Convolution(16, 64, 2, 32, pool=8),
    2: Convolution(32, 32, 2, 16, pool=8),
    3: Convolution(64, 16, 2, 8),
    4: Convolution(128, 8, 2, 4),
    5: Convolution(256, 4, 2, 2, pool=4),
    6: Convolution(512, 4, 2, 2),
    7: Convolution(1024, 4, 2, 2),
}
HEADS = {"conv8_objs": Convolution(1000, 8, 2, 0), "conv8_scns": Convolution(401, 8, 2, 0)}

# What a caller may ask for, with its number of channels.
LAYERS = {
    **{f"conv{k}": block.filters for k, block in BLOCKS.items()},
    **{f"pool{k}": block.filters for k, block in BLOCKS.items() if block.pool > 1},
    **{name: head.filters for name, head in HEADS.items()},
}

AMPLITUDE = 256.0  # the network was trained on samples in [-256, 256]
EPSILON = 1e-5  # Torch7's batch norm; ports with 1e-3 give other features


class Network(nn.Module):
    """The layers under the names of the usual PyTorch ports: conv1, batchnorm1, conv2, ..."""

    def __init__(self) -> None:
        super().__init__()
        channels = 1
        for k, block in BLOCKS.items():
            self.add_module(f"conv{k}", _convolution(channels, block))
            self.add_module(f"batchnorm{k}", nn.BatchNorm1d(block.filters, eps=EPSILON))
            channels = block.filters
        for name, head in HEADS.items():
            self.add_module(name, _convolution(channels, head))

    def forward(
        self, x: Float[Tensor, "1 1 time"], layer: str
    ) -> Float[Tensor, "1 channels steps"]:
        """Return a layer of `LAYERS`: conv1 to conv7 after their ReLU, heads as they are."""
        for k, block in BLOCKS.items():
            convolved = self.get_submodule(f"conv{k}")(x)
            x = self.get_submodule(f"batchnorm{k}")(convolved).relu_()
            if layer == f"conv{k}":
                return x
            x = nn.functional.max_pool1d(x, block.pool)
            if layer == f"pool{k}":
                return x
        return self.get_submodule(layer)(x)


class SoundNet:
    """SoundNet-8 for features; `digest` is the SHA-256 of its weights.

    Loudness counts, as the network was trained: a softer sound has other features.
    """

    version = "1"
    dim = LAYERS["conv7"]

    def __init__(self, network: Network, digest: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.digest = digest

    @classmethod
    def from_file(cls, path: str | Path) -> SoundNet:
        """Load a .safetensors file of tensors named as in `Network`.

        Convolution weights are [filters, channels, kernel], or with a last 1 as two-dimensional
        ports have them. The heads may be missing. Raises ValueError naming file and tensors.
        """
        path = require_weights(path)
        try:
            tensors = load_file(path)
        except Exception as error:
            raise ValueError(f"{path}: not a readable safetensors file ({error})") from error
        return cls(build_network(tensors, path), sha256_of_files(path))

    @torch.inference_mode()
    def features(
        self, waveform: Float32[np.ndarray, " samples"], layer: str = "conv7"
    ) -> Float32[np.ndarray, "steps channels"]:
        """Return a layer's features over time, of mono sound in [-1, 1] at 22,050 Hz.

        conv7 gives one step for 32,768 samples (1.5 s). A sound too short for one step is
        repeated until there is one. Raises ValueError for an unknown layer or an empty waveform.
        """
        if layer not in LAYERS:
            raise ValueError(f"layer is {layer!r}; allowed: {', '.join(LAYERS)}")
        if not hasattr(self.network, layer) and layer in HEADS:
            raise ValueError(f"layer {layer} is not in these weights")
        if not waveform.size:
            raise ValueError("the waveform is empty; a clip without sound has no features")
        x = torch.from_numpy(np.ascontiguousarray(repeated(waveform, shortest(layer))))
        return self.network(x[None, None] * AMPLITUDE, layer)[0].T.contiguous().numpy()


def shortest(layer: str) -> int:
    """Return the fewest samples of which `layer` makes one step."""
    number = int(layer[4])
    steps = _input_steps(HEADS[layer], 1) if layer in HEADS else 1
    for k in range(min(number, max(BLOCKS)), 0, -1):
        if k < number or layer.startswith("pool"):
            steps *= BLOCKS[k].pool
        steps = _input_steps(BLOCKS[k], steps)
    return steps


def repeated(
    waveform: Float32[np.ndarray, " samples"], least: int
) -> Float32[np.ndarray, " longer"]:
    """Repeat a waveform, whole, until it has at least `least` samples."""
    return np.tile(waveform, max(1, -(-least // waveform.size)))


def build_network(tensors: dict[str, Tensor], path: Path) -> Network:
    """Build the network from named tensors; raises ValueError naming what does not fit."""
    network = Network()
    for name in HEADS:
        if f"{name}.weight" not in tensors:
            delattr(network, name)
    state = {k: tensor.squeeze(-1) if tensor.ndim == 4 else tensor for k, tensor in tensors.items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{path}: not the weights of SoundNet-8 ({error})") from None
    return network


def _convolution(channels: int, shape: Convolution) -> nn.Conv1d:
    return nn.Conv1d(channels, shape.filters, shape.kernel, shape.stride, shape.padding)


def _input_steps(shape: Convolution, steps: int) -> int:
    """Invert a convolution's length: floor((in + 2 padding - kernel) / stride) + 1 = steps."""
    return max((steps - 1) * shape.stride + shape.kernel - 2 * shape.padding, 1)
