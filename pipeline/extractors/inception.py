"""Inception V3 (Szegedy et al. 2016): frames to pooled 2048-d vectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import Inception3
from torchvision.models.inception import BasicConv2d
from torchvision.transforms.v2 import functional as F

from pipeline.extractors.device import exact_convolutions, require_device
from pipeline.extractors.digest import require_weights, sha256_of_files
from pipeline.extractors.precision import number_type, round_with_carry
from pipeline.extractors.shapes import check_finite, check_shapes, shapes_of
from pipeline.extractors.state_file import read_state

# The network's own reductions leave nothing of a smaller picture.
SMALLEST = 75

# A picture this much longer than wide is cut to the middle before it is resized, which would
# otherwise make it as many times larger; the centre crop takes the middle anyway.
LONGEST = 16


class InceptionV3:
    """Torchvision's Inception V3 without its classifier.

    Frames are resized (shorter side to `size`, bilinear, antialiased) and centre cropped, scaled
    to [-1, 1] and averaged over all positions of the last layer. `digest` is the SHA-256 of the
    weights. In bfloat16 each frame's vector is within a cosine of 0.9995 of float32's.
    """

    version = "1"
    dim = 2048

    def __init__(self, network: Inception3, digest: str) -> None:
        self.network = network
        self.digest = digest

    @classmethod
    def from_file(
        cls, path: str | Path, device: str = "cpu", precision: str = "float32"
    ) -> InceptionV3:
        """Load weights with torchvision's names, from .safetensors or the official .pth.

        `device` is cpu or cuda, `precision` float32 or bfloat16. Raises ValueError naming the file
        and the first tensor that does not fit.
        """
        kind = number_type(precision)
        path = require_weights(path)
        network = fast(build_network(read_state(path), path))
        if kind == torch.bfloat16:
            to_bfloat16(network)
        return cls(network.to(require_device(device)), sha256_of_files(path))

    @staticmethod
    def prepare(
        frames: UInt8[np.ndarray, "n height width 3"], size: int = 224
    ) -> UInt8[np.ndarray, "n size size 3"]:
        """Resize and crop frames; a second time changes nothing, so callers may do it early."""
        if size < SMALLEST:
            raise ValueError(f"size is {size}; allowed: from {SMALLEST}, Inception V3's smallest")
        pictures = torch.from_numpy(_cut_to_ratio(frames)).permute(0, 3, 1, 2)
        pictures = F.center_crop(F.resize(pictures, [size], antialias=True), [size, size])
        return pictures.permute(0, 2, 3, 1).contiguous().numpy()

    @torch.inference_mode()
    def features(
        self, frames: UInt8[np.ndarray, "n height width 3"], size: int = 224
    ) -> Float32[np.ndarray, "n 2048"]:
        """Return the pooled vector of each frame.

        The frames are one batch. Sums in convolutions can change in the last bit with the size of
        a batch: give one clip or one photo a call, and its features have the same bytes always.
        """
        if not len(frames):
            return np.zeros((0, self.dim), np.float32)
        weights = next(self.network.parameters())
        pictures = _sent_to(weights.device, torch.from_numpy(self.prepare(frames, size)))
        # [n, H, W, 3] seen as [n, 3, H, W] is the channels-last layout, at no cost.
        images = normalise(pictures).permute(0, 3, 1, 2).to(weights.dtype)
        with exact_convolutions():
            return self.network(images).float().cpu().numpy()


def _sent_to(device: torch.device, pictures: Tensor) -> Tensor:
    """Copy to a GPU from pinned memory, which it reads by itself while we go on."""
    if device.type == "cpu":
        return pictures
    return pictures.pin_memory().to(device, non_blocking=True)


def normalise(pictures: UInt8[Tensor, "*shape"]) -> Float32[Tensor, "*shape"]:
    """Scale 0..255 to [-1, 1], as the official weights want.

    They were trained so in TensorFlow: torchvision's ImageNet normalisation followed by its
    `transform_input`, which undoes it, is this very map.
    """
    return pictures.float() / 127.5 - 1


def build_network(state: dict[str, Tensor], path: Path) -> Inception3:
    """Build Inception V3 in evaluation mode from named tensors, without its two classifiers.

    Raises ValueError naming the first tensor that is missing, not the network's, or of a wrong
    shape.
    """
    with torch.device("meta"):
        network = Inception3(aux_logits=False, transform_input=False, init_weights=False)
    network.fc = nn.Identity()
    wanted = features_of(state)
    check_shapes(
        path, "Inception V3", shapes_of(wanted), shapes_of(features_of(network.state_dict()))
    )
    check_finite(path, wanted)
    # The batches that a norm has seen play no part here, and old files lack their number.
    network.load_state_dict(wanted, assign=True)
    return network.float().eval().requires_grad_(False)


def features_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors that features depend on: no classifier's, no count of batches."""
    return {
        name: tensor
        for name, tensor in state.items()
        if not name.startswith(("fc.", "AuxLogits.")) and not name.endswith("num_batches_tracked")
    }


def fast(network: Inception3) -> Inception3:
    """Fold each batch norm into its convolution and lay weights out channels last.

    The same function up to rounding, in about 60 % of the time on a CPU.
    """
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, BasicConv2d):
                folded = nn.Sequential(fuse_conv_bn_eval(child.conv, child.bn), nn.ReLU(True))
                setattr(module, name, folded)
    return network.to(memory_format=torch.channels_last)


def to_bfloat16(network: Inception3) -> None:
    """Round a network's weights, its convolutions' so that their outputs keep their means."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            rounded = round_with_carry(module.weight)
            module.weight.data = rounded.contiguous(memory_format=torch.channels_last)
    network.to(torch.bfloat16)


def _cut_to_ratio(frames: np.ndarray) -> np.ndarray:
    height, width = frames.shape[1:3]
    limit = LONGEST * min(height, width)
    top, left = max(height - limit, 0) // 2, max(width - limit, 0) // 2
    middle = frames[:, top : top + limit, left : left + limit]
    return np.require(middle, requirements=["C", "W"])  # torch wants it writeable
