"""Inception V3 on one clip's frames, against torchvision's unchanged model."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import Inception3, Inception_V3_Weights
from torchvision.transforms.v2 import functional as F

from benchmarks.timing import Effort, Line
from benchmarks.towers import Run, against_plain
from pipeline.extractors import InceptionV3
from pipeline.extractors.untrained import write_inception

FRAMES, SIZE = 40, 224
LEAST = {"float32": 1.7, "bfloat16": 3.0}


class Plain:
    """Torchvision's own model and normalisation."""

    def __init__(self, weights: Path) -> None:
        self.network = Inception3(aux_logits=True, transform_input=True, init_weights=False)
        self.network.load_state_dict(load_file(weights))
        self.network.fc = nn.Identity()
        self.network.eval()
        self.preset = Inception_V3_Weights.IMAGENET1K_V1.transforms()

    @torch.inference_mode()
    def features(self, frames: np.ndarray) -> np.ndarray:
        """Return the pooled vector of each frame; frames must have the network's size."""
        images = F.to_dtype(torch.from_numpy(frames).permute(0, 3, 1, 2), torch.float32, scale=True)
        images = F.normalize(images, self.preset.mean, self.preset.std)
        pooled: Tensor = self.network(images.contiguous())
        return pooled.numpy()


def pictures(count: int, size: int, seed: int = 0) -> np.ndarray:
    """Generate smooth coloured pictures with a little grain: uint8 [count, size, size, 3]."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.integers(0, 256, (count, 3, 7, 7), dtype=np.uint8))
    smooth = F.resize(coarse, [size, size], antialias=True).permute(0, 2, 3, 1).numpy()
    grain = rng.integers(-12, 13, smooth.shape)
    return (smooth + grain).clip(0, 255).astype(np.uint8)


def measure(effort: Effort, count: int = FRAMES, size: int = SIZE) -> list[Line]:
    """Time both precisions and torchvision's model in turn on the same batch."""
    frames = pictures(count, size)

    def ours(precision: str) -> Run:
        network = InceptionV3.from_file(path, precision=precision)
        return lambda: [network.features(frames, size)]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inception.safetensors"
        write_inception(path)
        plain = Plain(path)
        return against_plain(
            effort,
            lambda precision: f"visual network, {precision}, against torchvision's",
            LEAST,
            ours,
            lambda: [plain.features(frames)],
            error=1e-4,
            cosine=0.9995,
        )
