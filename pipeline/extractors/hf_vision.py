"""Picture networks of transformers: CLIP, SigLIP 2, DINOv2, DINOv3 and ViT, a vector a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from pipeline.extractors.device import PRECISIONS
from pipeline.extractors.encoder import Identity, Origin, Run, identity_of
from pipeline.extractors.hf_folder import fill_folder, one_line, read_config, read_preprocessor
from pipeline.extractors.hf_tower import load_tower, tower_config
from pipeline.extractors.pictures import RGB, Preparation, run_on_pictures
from pipeline.inputs.json_files import check_json
from pipeline.runtime import device

_CURE = "take the file of a published vision model of this kind"


@dataclass(frozen=True)
class Family:
    """What differs: the class of the network, the setting with its width, and its output.

    `fixed` says that pictures must have the size that the network was trained with.
    """

    architecture: str | None = None
    dim: str = "hidden_size"
    vector: Callable[[Any], Tensor] = lambda output: output.last_hidden_state[:, 0]
    fixed: bool = True


_CLIP = Family(
    "CLIPVisionModelWithProjection", "projection_dim", lambda output: output.image_embeds
)
_SIGLIP = Family("SiglipVisionModel", vector=lambda output: output.pooler_output)
# Positions are interpolated or rotary. The vector is the class token's, after the last norm.
_DINO = Family(fixed=False)

# By model_type. Published SigLIP 2 models of a fixed size are of type siglip.
FAMILIES = {
    "clip": _CLIP,
    "clip_vision_model": _CLIP,
    "siglip": _SIGLIP,
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
        encoder = cls._of(folder)
        with one_line(folder):
            # Files that do not fit together are refused here, not in the extraction.
            encoder.load()([encoder.prepare(np.zeros((8, 8, 3), np.uint8))[None]])
        return origin

    @classmethod
    def of(cls, folder: Path, params: Any) -> HFVisual:
        """See Encoder. Raises ValueError for networks of other kinds, and for wrong sizes."""
        return cls._of(folder, params.precision)

    @classmethod
    def _of(cls, folder: Path, precision: str = "float32") -> HFVisual:
        config = read_config(folder)
        kind = config.model_type
        if kind not in FAMILIES:
            raise ValueError(
                f"{folder}: model_type {kind!r} is no picture encoder known here; allowed: "
                f"{', '.join(FAMILIES)}"
            )
        family, preparation = FAMILIES[kind], read_preparation(folder)
        tower = tower_config(config, "vision_config")
        _check_side(folder, preparation.side, tower, family.fixed)
        return cls(folder, kind, getattr(tower, family.dim), preparation, precision)

    def identity(self) -> Identity:
        """See Encoder."""
        return identity_of(self, f"hf:{self.kind}", precision=self.precision)

    def prepare(self, raw: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "side side 3"]:
        """See Encoder."""
        return self.preparation.square(raw)

    def load(self) -> Run:
        """See Encoder; each input is a batch of its own."""
        family, where = FAMILIES[self.kind], device()
        config = tower_config(read_config(self.folder), "vision_config")
        tower = load_tower(self.folder, config, family.architecture, self.precision, where)
        return run_on_pictures(
            lambda values: family.vector(tower.network(pixel_values=values)),
            self.preparation,
            where,
            PRECISIONS[self.precision],
        )


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


class _Sides(BaseModel):
    """A size: the shorter side, or both sides."""

    model_config = ConfigDict(extra="ignore")

    shortest_edge: int | None = None
    height: int | None = None
    width: int | None = None


class _Settings(BaseModel):
    """The keys that decide how a picture becomes an input; others are ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    do_resize: Literal[True] = True
    size: _Sides | int
    resample: int = Field(ge=0, le=5)
    do_center_crop: bool | None = False
    crop_size: _Sides | int | None = None
    do_rescale: Literal[True] = True
    rescale_factor: float = Field(default=1 / 255, ge=0.99 / 255, le=1.01 / 255)
    do_normalize: Literal[True] = True
    image_mean: RGB
    image_std: RGB
    do_pad: Literal[False, None] = None


def read_preparation(folder: Path) -> Preparation:
    """Read how a folder's network takes pictures: from one of any size to a square input.

    Pictures are resized with Pillow and equal those of the library's Pillow processors; those of
    torchvision, and DINOv3's, differ by one level of 255 at most. Raises ValueError naming the file
    and the key.
    """
    path, values = read_preprocessor(folder, "image_processor", _CURE)
    settings: _Settings = check_json(path, values, _Settings, _CURE)
    crop = _length(settings.crop_size) if settings.do_center_crop else None
    resized, fit = _resizing(settings.size, cropped=crop is not None)
    if resized is None or (crop is None and fit == "shorter"):
        raise ValueError(f"{path}: size: the input would not be square; {_CURE}")
    try:
        return Preparation(
            side=resized if crop is None else crop,
            resized=resized,
            fit=fit,
            interpolation=Image.Resampling(settings.resample),
            mean=settings.image_mean,
            deviation=settings.image_std,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}; {_CURE}") from None


def _resizing(size: _Sides | int, cropped: bool) -> tuple[int | None, Literal["shorter", "both"]]:
    """Return a length, and whether the shorter side or both sides get it."""
    if isinstance(size, int):  # older files: the shorter side where a crop follows
        return size, "shorter" if cropped else "both"
    if size.shortest_edge is not None:
        return size.shortest_edge, "shorter"
    return _length(size), "both"


def _length(size: _Sides | int | None) -> int | None:
    if not isinstance(size, _Sides):
        return size
    return size.height if size.height == size.width else None
