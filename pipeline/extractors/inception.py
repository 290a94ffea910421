"""Inception V3 (Szegedy et al. 2016): a pooled 2048-d vector of each frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn
from torchvision.models import Inception3
from torchvision.transforms.v2 import functional as F

from pipeline.extractors.batch_norms import fold_batch_norms
from pipeline.extractors.device import exact_convolutions, require_device, round_convolutions
from pipeline.extractors.encoder import Identity, Origin, Run, identity_of
from pipeline.extractors.pictures import without_long_ends
from pipeline.extractors.weights import one_file, seeded
from pipeline.inputs.weight_files import (
    load_weights,
    read_state,
    require_weights,
    write_state,
)
from pipeline.runtime import device

FILE = "inception_v3.safetensors"


class InceptionV3:
    """Torchvision's Inception V3 without its classifier.

    Frames are resized (shorter side to `size`, bilinear, antialiased) and centre cropped, scaled
    to [-1, 1] and averaged over all positions of the last layer. In bfloat16 each frame's vector
    is within a cosine of 0.9995 of float32's.
    """

    version = "2"
    dim = 2048

    def __init__(self, network: Inception3) -> None:
        self.network = network

    @classmethod
    def from_file(
        cls, path: str | Path, device: str = "cpu", precision: str = "float32"
    ) -> InceptionV3:
        """Load weights with torchvision's names, from .safetensors or the official .pth.

        `device` is cpu or cuda, `precision` float32 or bfloat16. Raises ValueError naming the file
        and the first tensor that does not fit.
        """
        path = require_weights(path)
        network = build_network(read_state(path), path)
        fold_batch_norms(network, torch.zeros(1, 3, 75, 75))  # the smallest that it takes
        if precision == "bfloat16":
            round_convolutions(network)
        # Folding and this layout save a CPU 40 % of the time.
        return cls(network.to(require_device(device)).to(memory_format=torch.channels_last))

    @staticmethod
    def prepare(
        frames: UInt8[np.ndarray, "n height width 3"], size: int = 224
    ) -> UInt8[np.ndarray, "n size size 3"]:
        """Resize and crop frames; idempotent, so callers may do it early to save memory."""
        # torch warns about read-only memory
        frames = np.require(without_long_ends(frames), requirements=["C", "W"])
        pictures = torch.from_numpy(frames).permute(0, 3, 1, 2)
        pictures = F.center_crop(F.resize(pictures, [size], antialias=True), [size, size])
        return pictures.permute(0, 2, 3, 1).contiguous().numpy()

    @torch.inference_mode()
    def features(
        self, frames: UInt8[np.ndarray, "n height width 3"], size: int = 224
    ) -> Float32[np.ndarray, "n 2048"]:
        """Return the pooled vector of each frame.

        The frames are one batch. The last bit of a convolution can change with the size of the
        batch: with one clip or one photo a call, features always have the same bytes.
        """
        if not len(frames):
            return np.zeros((0, self.dim), np.float32)
        weights = next(self.network.parameters())
        pictures = torch.from_numpy(self.prepare(frames, size))
        if weights.device.type != "cpu":
            # A GPU copies from pinned memory while the CPU goes on.
            pictures = pictures.pin_memory().to(weights.device, non_blocking=True)
        # A permuted [n, H, W, 3] is in the channels-last layout, without a copy.
        images = normalise(pictures).permute(0, 3, 1, 2).to(weights.dtype)
        with exact_convolutions():
            return self.network(images).float().cpu().numpy()


@dataclass(frozen=True)
class InceptionEncoder:
    """Inception V3 as an encoder of pictures: [n, 2048]; `size` is the side of the crop."""

    folder: Path
    size: int = 224
    precision: str = "float32"
    version: ClassVar[str] = InceptionV3.version
    batch: ClassVar[int] = 1
    gpu: ClassVar[bool] = True
    dim: ClassVar[int] = InceptionV3.dim

    @classmethod
    def obtain(cls, source: str, weights: str, folder: Path) -> Origin:
        """See Encoder; a file is .safetensors or .pth, and may have a classifier of any size."""
        if weights == "untrained":
            # Here: it imports all the networks, which takes a worker a second.
            from pipeline.extractors.untrained import write_inception

            write_inception(folder / FILE)
            return seeded("inception_v3")
        path, origin = one_file("inception_v3", "inception_v3", weights)
        convert(path, folder / FILE)
        return origin

    @classmethod
    def of(cls, folder: Path, params: Any) -> InceptionEncoder:
        """See Encoder."""
        return cls(folder, params.size, params.precision)

    def identity(self) -> Identity:
        """See Encoder."""
        return identity_of(self, "inception_v3", size=self.size, precision=self.precision)

    def prepare(self, raw: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "size size 3"]:
        """See Encoder."""
        return InceptionV3.prepare(raw[None], self.size)[0]

    def load(self) -> Run:
        """See Encoder."""
        network = InceptionV3.from_file(self.folder / FILE, device(), self.precision)
        return lambda inputs: [network.features(pictures, size=self.size) for pictures in inputs]


def convert(source: Path, path: Path) -> None:
    """Write the tensors that features depend on as safetensors; raises ValueError for others."""
    state = read_state(source)
    build_network(state, source)
    write_state(without_classifiers(state), path)


def normalise(pictures: UInt8[Tensor, "*shape"]) -> Float32[Tensor, "*shape"]:
    """Scale 0..255 to [-1, 1].

    The official weights were trained on this range, in TensorFlow; torchvision's ImageNet
    normalisation followed by its `transform_input` computes the same.
    """
    return pictures.float() / 127.5 - 1


def build_network(state: dict[str, Tensor], path: Path) -> Inception3:
    """Build Inception V3 in evaluation mode from named tensors, without its two classifiers.

    Raises ValueError naming the first tensor that does not fit.
    """
    with torch.device("meta"):
        network = Inception3(aux_logits=False, transform_input=False, init_weights=False)
    network.fc = nn.Identity()
    load_weights(network, without_classifiers(state), path, "Inception V3")
    return network.eval().requires_grad_(False)


def without_classifiers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that features depend on, without the norms' counts of batches."""
    return {
        name: tensor
        for name, tensor in state.items()
        if not name.startswith(("fc.", "AuxLogits.")) and not name.endswith("num_batches_tracked")
    }
