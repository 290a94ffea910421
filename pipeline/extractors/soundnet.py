"""SoundNet-8 (Aytar et al. 2016): features of a waveform from one of its layers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from pipeline.extractors.encoder import Identity, Origin, Run, identity_of
from pipeline.extractors.soundnet_files import read_soundnet
from pipeline.extractors.soundnet_layers import (
    AMPLITUDE,
    BLOCKS,
    HEADS,
    LAYERS,
    Convolution,
    Network,
)
from pipeline.extractors.weights import one_file, seeded
from pipeline.inputs.archive import read_members
from pipeline.inputs.weight_files import load_weights, require_weights, write_state

FILE = "soundnet8.safetensors"
MEMBER = "soundnet8_final.t7"  # of the authors' archive
LARGEST = 128 << 20  # bytes of it; the authors' file has about 60 MB


class SoundNet:
    """SoundNet-8 for features.

    Waveforms are not normalised, as in training: features depend on loudness.
    """

    version = "2"
    dim = LAYERS["conv7"]

    def __init__(self, network: Network) -> None:
        self.network = network.eval().requires_grad_(False)

    @classmethod
    def from_file(cls, path: str | Path) -> SoundNet:
        """Load the authors' .t7, the TensorFlow port's .npy, or a PyTorch port's state dict.

        The last is a .safetensors or .pth file. The heads may be missing. Raises ValueError naming
        the file and the first tensor that does not fit.
        """
        path = require_weights(path)
        return cls(build_network(read_soundnet(path), path))

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


@dataclass(frozen=True)
class SoundNetEncoder:
    """SoundNet-8 as an encoder of waveforms: [steps, channels of the layer]."""

    folder: Path
    layer: str = "conv7"
    version: ClassVar[str] = SoundNet.version
    batch: ClassVar[int] = 1
    gpu: ClassVar[bool] = False  # reading takes a third of the time: little to gain
    rate: ClassVar[int] = 22_050

    @classmethod
    def obtain(cls, source: str, weights: str, folder: Path) -> Origin:
        """See Encoder; a file is the authors' .zip or .t7, or a port's .npy or state dict."""
        if weights == "untrained":
            # Here: it imports the other networks.
            from pipeline.extractors.untrained import write_soundnet

            write_soundnet(folder / FILE)
            return seeded("soundnet")
        path, origin = one_file("soundnet", "soundnet8", weights)
        convert(path, folder / FILE)
        return origin

    @classmethod
    def of(cls, folder: Path, params: Any) -> SoundNetEncoder:
        """See Encoder."""
        return cls(folder, params.layer)

    @property
    def dim(self) -> int:
        """See Encoder."""
        return LAYERS[self.layer]

    def identity(self) -> Identity:
        """See Encoder."""
        return identity_of(self, "soundnet", layer=self.layer)

    def prepare(self, raw: Float32[np.ndarray, " samples"]) -> Float32[np.ndarray, " samples"]:
        """See Encoder."""
        return raw

    def load(self) -> Run:
        """See Encoder."""
        network = SoundNet.from_file(self.folder / FILE)
        return lambda inputs: [network.features(sound, layer=self.layer) for sound in inputs]


def convert(source: Path, path: Path) -> None:
    """Write SoundNet-8's tensors as safetensors, from its authors' archive or any known file."""
    with TemporaryDirectory(dir=path.parent) as folder:
        if source.suffix == ".zip":
            source = _unzip(source, Path(folder))
        write_state(build_network(read_soundnet(source), source).state_dict(), path)


def _unzip(archive: Path, folder: Path) -> Path:
    members = list(read_members(archive, MEMBER.__eq__, limit=LARGEST))
    if len(members) != 1:
        raise ValueError(f"{archive}: holds {len(members)} files {MEMBER}, expected one")
    path = folder / MEMBER
    path.write_bytes(members[0][1])
    return path


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


def _input_steps(shape: Convolution, steps: int) -> int:
    """Invert a convolution's length: floor((in + 2 padding - kernel) / stride) + 1 = steps."""
    return max((steps - 1) * shape.stride + shape.kernel - 2 * shape.padding, 1)
