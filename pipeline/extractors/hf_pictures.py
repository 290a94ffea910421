"""How transformers prepares pictures: its preprocessor_config.json, read by us."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from pipeline.extractors.pictures import RGB, Preparation
from pipeline.inputs.json_files import check_json, read_json

OWN, JOINT = "preprocessor_config.json", "processor_config.json"
_CURE = "take the file of a published vision model of this kind"


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
    """Return a folder's way from a picture to a square input.

    Pictures are resized with Pillow, to the pixel as the libraries' Pillow processors do; those of
    torchvision, and DINOv3's, differ by one level of 255 at most. Raises ValueError naming the file
    and the key.
    """
    path, values = _values(folder)
    settings: _Settings = check_json(path, values, _Settings, _CURE)
    crop = _length(settings.crop_size) if settings.do_center_crop else None
    shorter, both = _sides(settings.size, cropped=crop is not None)
    resized = shorter if both is None else both
    if resized is None or (crop is None and both is None):
        raise ValueError(f"{path}: size: the input would not be square; {_CURE}")
    try:
        return Preparation(
            side=resized if crop is None else crop,
            resized=resized,
            fit="shorter" if both is None else "both",
            interpolation=Image.Resampling(settings.resample).name.lower(),
            mean=settings.image_mean,
            deviation=settings.image_std,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}; {_CURE}") from None


def _values(folder: Path) -> tuple[Path, Any]:
    path = folder / OWN
    if path.is_file():
        return path, read_json(path, dict[str, Any], _CURE)
    path = folder / JOINT  # of models that also read text, as transformers 5 writes them
    values = (
        read_json(path, dict[str, Any], _CURE).get("image_processor") if path.is_file() else None
    )
    if not isinstance(values, dict):
        raise ValueError(f"{folder}: no {OWN}; take the folder as the hub has it")
    return path, values


def _sides(size: _Sides | int, cropped: bool) -> tuple[int | None, int | None]:
    """Return the length of the shorter side, or else of both."""
    if isinstance(size, int):  # older files: the shorter side where a crop follows
        return (size, None) if cropped else (None, size)
    if size.shortest_edge is not None:
        return size.shortest_edge, None
    return None, _length(size)


def _length(size: _Sides | int | None) -> int | None:
    if not isinstance(size, _Sides):
        return size
    return size.height if size.height == size.width else None
