"""Picture networks of transformers: CLIP, SigLIP 2, DINOv2, DINOv3 and ViT, a vector a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from pipeline.extractors.device import PRECISIONS, exact_convolutions, require_device
from pipeline.extractors.encoder import Identity, Origin, Run, folder_digest
from pipeline.extractors.hf_folder import one_line, read_config
from pipeline.extractors.hf_pictures import read_preparation
from pipeline.extractors.hf_tower import load_tower
from pipeline.extractors.model_folder import fill_folder
from pipeline.extractors.pictures import Preparation
from pipeline.runtime import device


@dataclass(frozen=True)
class Family:
    """What differs: the class of the network, its part of the configuration, width and output.

    `fixed` says that pictures must have the size that the network was trained with.
    """

    architecture: str | None = None
    tower: Callable[[Any], Any] = lambda config: config
    dim: Callable[[Any], int] = lambda config: config.hidden_size
    vector: Callable[[Any], Tensor] = lambda output: output.last_hidden_state[:, 0]
    fixed: bool = True


def _clip_tower(config: Any) -> Any:
    """Return CLIP's part for pictures, which projects into the space that texts share."""
    config.vision_config.projection_dim = config.projection_dim
    return config.vision_config


_CLIP = Family(
    "CLIPVisionModelWithProjection",
    dim=lambda config: config.projection_dim,
    vector=lambda output: output.image_embeds,
)
_SIGLIP = Family("SiglipVisionModel", vector=lambda output: output.pooler_output)
# Positions are interpolated or rotary. The vector is the class token's, after the last norm.
_DINO = Family(fixed=False)

# By model_type. Published SigLIP 2 models of a fixed size are of type siglip.
FAMILIES = {
    "clip": Family(_CLIP.architecture, _clip_tower, _CLIP.dim, _CLIP.vector),
    "clip_vision_model": _CLIP,
    "siglip": Family(_SIGLIP.architecture, lambda c: c.vision_config, vector=_SIGLIP.vector),
    "siglip_vision_model": _SIGLIP,
    "dinov2": _DINO,
    "dinov2_with_registers": _DINO,
    "dinov3_vit": _DINO,
    "vit": Family(),
    "deit": Family(),
}


@dataclass(frozen=True)
class HFVisual:
    """A folder of transformers: one vector a picture, [n, dim].

    CLIP's is the projected one, SigLIP's the pooled one, of other networks the class token's after
    the last norm. In bfloat16 the cosine to float32 is above 0.999 a picture.
    """

    folder: Path
    kind: str
    dim: int
    preparation: Preparation
    precision: str = "float32"

    version: ClassVar[str] = "1"
    batch: ClassVar[int] = 1
    gpu: ClassVar[bool] = True

    @classmethod
    def obtain(cls, source: str, weights: str, folder: Path) -> Origin:
        """See Encoder."""
        origin = fill_folder(f"hf:{source}", weights, folder)
        encoder = cls._of(folder, "float32")
        with one_line(folder):
            # What does not fit together ends this stage, not the extraction.
            encoder.load()([encoder.prepare(np.zeros((8, 8, 3), np.uint8))[None]])
        return origin

    @classmethod
    def of(cls, folder: Path, params: Any) -> HFVisual:
        """See Encoder. Raises ValueError for networks of other kinds, and for wrong sizes."""
        return cls._of(folder, params.precision)

    @classmethod
    def _of(cls, folder: Path, precision: str) -> HFVisual:
        config = read_config(folder)
        kind = config.model_type
        if kind not in FAMILIES:
            raise ValueError(
                f"{folder}: model_type {kind!r} is no picture encoder known here; allowed: "
                f"{', '.join(FAMILIES)}"
            )
        family, preparation = FAMILIES[kind], read_preparation(folder)
        tower = family.tower(config)
        _check_side(folder, preparation.side, tower, family.fixed)
        return cls(folder, kind, family.dim(tower), preparation, precision)

    def identity(self) -> Identity:
        """See Encoder."""
        return {
            "encoder": f"hf:{self.kind}",
            "version": self.version,
            "weights": folder_digest(self.folder),
            "precision": self.precision,
        }

    def prepare(self, raw: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "side side 3"]:
        """See Encoder."""
        return self.preparation.square(raw)

    def load(self) -> Run:
        """See Encoder; each input is a batch of its own."""
        family, preparation = FAMILIES[self.kind], self.preparation
        where, precision = require_device(device()), PRECISIONS[self.precision]
        config = family.tower(read_config(self.folder))
        network = load_tower(
            self.folder, config, family.architecture, self.precision, where
        ).network

        @torch.inference_mode()
        def vectors(pictures: np.ndarray) -> Float32[np.ndarray, "n dim"]:
            values = preparation.normalise(torch.from_numpy(pictures).to(where)).to(precision)
            with exact_convolutions():
                return family.vector(network(pixel_values=values)).float().cpu().numpy()

        def run(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
            return [vectors(pictures) for pictures in inputs]

        return run


def _check_side(folder: Path, side: int, tower: Any, fixed: bool) -> None:
    """Raise ValueError for pictures of a size that the network does not take."""
    if fixed and side != tower.image_size:
        raise ValueError(
            f"{folder}: pictures would be {side} pixels wide, but the network takes "
            f"{tower.image_size}; take both files of one model"
        )
    if side % tower.patch_size:
        raise ValueError(
            f"{folder}: pictures would be {side} pixels wide, no multiple of the network's patches "
            f"of {tower.patch_size}; take both files of one model"
        )
