"""SoundNet-8 (Aytar et al. 2016): features of a waveform from one of its layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from pipeline.extractors.soundnet_files import (
    BLOCKS,
    EPSILON,
    HEADS,
    Convolution,
    read_soundnet,
)
from pipeline.inputs.weight_files import load_weights, require_weights, weights_digest

# The layers that `SoundNet.features` can return, with their number of channels.
LAYERS = {
    **{f"conv{k}": block.filters for k, block in BLOCKS.items()},
    **{f"pool{k}": block.filters for k, block in BLOCKS.items() if block.pool > 1},
}

AMPLITUDE = 256.0  # training samples were in [-256, 256]


class Network(nn.Module):
    """The layers under the names of the usual PyTorch ports: conv1, batchnorm1, conv2, ...

    The heads (classes of objects and scenes) are in its weights file, but give no features.
    """

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
        """Return a layer of `LAYERS`: conv1 to conv7 after their ReLU."""
        for k, block in BLOCKS.items():
            convolved = self.get_submodule(f"conv{k}")(x)
            x = self.get_submodule(f"batchnorm{k}")(convolved).relu_()
            if layer == f"conv{k}":
                return x
            x = nn.functional.max_pool1d(x, block.pool)
            if layer == f"pool{k}":
                return x
        raise ValueError(f"layer is {layer!r}; allowed: {', '.join(LAYERS)}")


class SoundNet:
    """SoundNet-8 for features; `digest` is the SHA-256 of its weights.

    Waveforms are not normalised, as in training: features depend on loudness.
    """

    version = "2"
    dim = LAYERS["conv7"]

    def __init__(self, network: Network, digest: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.digest = digest

    @classmethod
    def from_file(cls, path: str | Path) -> SoundNet:
        """Load the authors' .t7, the TensorFlow port's .npy, or a PyTorch port's state dict.

        The last is a .safetensors or .pth file. The heads may be missing. Raises ValueError naming
        the file and the first tensor that does not fit.
        """
        path = require_weights(path)
        return cls(build_network(read_soundnet(path), path), weights_digest(path))

    @torch.inference_mode()
    def features(
        self, waveform: Float32[np.ndarray, " samples"], layer: str = "conv7"
    ) -> Float32[np.ndarray, "steps channels"]:
        """Return a layer's features over time, of mono sound in [-1, 1] at 22,050 Hz.

        conv7 gives one step for 32,768 samples (1.5 s). A sound too short for one step is
        repeated until there is one.
        """
        x = torch.from_numpy(repeated(waveform, min_samples(layer)))
        return self.network(x[None, None] * AMPLITUDE, layer)[0].T.contiguous().numpy()


def min_samples(layer: str) -> int:
    """Return the smallest number of samples for which `layer` has one step."""
    number, steps = int(layer[4]), 1
    for k in range(number, 0, -1):
        if k < number or layer.startswith("pool"):
            steps *= BLOCKS[k].pool
        steps = _input_steps(BLOCKS[k], steps)
    return steps


def repeated(
    waveform: Float32[np.ndarray, " samples"], minimum: int
) -> Float32[np.ndarray, " longer"]:
    """Repeat a whole waveform until it has at least `minimum` samples."""
    return np.tile(waveform, max(1, -(-minimum // waveform.size)))


def build_network(tensors: dict[str, Tensor], path: Path) -> Network:
    """Build the network from named tensors; raises ValueError naming the first that is wrong."""
    network = Network()
    for name in HEADS:
        if f"{name}.weight" not in tensors:
            delattr(network, name)
    load_weights(network, tensors, path, "SoundNet-8")
    return network


def _convolution(channels: int, shape: Convolution) -> nn.Conv1d:
    return nn.Conv1d(channels, shape.filters, shape.kernel, shape.stride, shape.padding)


def _input_steps(shape: Convolution, steps: int) -> int:
    """Invert a convolution's length: floor((in + 2 padding - kernel) / stride) + 1 = steps."""
    return max((steps - 1) * shape.stride + shape.kernel - 2 * shape.padding, 1)
