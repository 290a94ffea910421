"""The door to timm: descriptions of its networks, and networks with checked weights."""

from __future__ import annotations

import math
import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from pipeline.extractors.pictures import RGB, Preparation
from pipeline.inputs.json_files import check_json, read_json
from pipeline.inputs.weight_files import load_weights, read_state, require_weights

CONFIG, TENSORS = "config.json", "model.safetensors"

# Arguments that timm would read files for, or that would change what is asked for here.
_RESERVED = re.compile("pretrained|checkpoint|cache_dir|features_only|script|kernel")
_CURE = "save the model with timm's save_for_hf(..., safe_serialization=True)"

Argument = str | int | float | bool | None | list[int | float | str | bool]


class Input(BaseModel):
    """What timm's pretrained_cfg says of a network's input; other keys are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    input_size: tuple[Literal[3], int, int]
    fixed_input_size: bool = False
    min_input_size: tuple[int, int, int] | None = None
    interpolation: Literal["bilinear", "bicubic", "lanczos", "nearest", "box", "hamming"]
    crop_pct: float = Field(default=0.875, gt=0, le=1)
    crop_mode: Literal["center", "squash"] = "center"
    mean: RGB
    std: RGB
    classifier: str | tuple[str, ...] | None = None
    license: str | None = None

    def preparation(self, size: int) -> Preparation:
        """Return timm's own way of evaluation for pictures of `size` pixels."""
        fit: Literal["both", "shorter"] = "both" if self.crop_mode == "squash" else "shorter"
        resized = math.floor(size / self.crop_pct)
        return Preparation(size, resized, fit, self.interpolation, self.mean, self.std, half="even")


class Config(BaseModel):
    """The config.json of timm's hub form; `num_features` is the width of the pooled vector."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    architecture: str = Field(pattern=r"^[a-z0-9_]+$")
    num_features: int = 0
    model_args: dict[str, Argument] = {}
    pretrained_cfg: Input


def _timm() -> Any:
    """Import timm, which never calls home here."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        import timm
    except ImportError:
        raise ValueError('timm is not installed; pip install -e ".[encoders]" brings it') from None
    return timm


def described(source: str) -> Config:
    """Return the description of a folder in timm's hub form, or of one of timm's names.

    Raises ValueError for anything else.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return _folder_config(folder)
    if re.search(r"[/\\]", source):
        raise ValueError(f"{source}: no such folder; give timm's name of a network, or a folder")
    return _known_config(source)


def _folder_config(folder: Path) -> Config:
    path = folder / CONFIG
    if not path.is_file():
        raise ValueError(f"{folder}: has no {CONFIG}; {_CURE}")
    config: Config = read_json(path, Config, _CURE)
    for name in config.model_args:
        if _RESERVED.search(name):
            raise ValueError(f"{path}: model_args.{name} is not allowed; {_CURE}")
    _require_known(config.architecture, f"{path}: architecture ")
    return config


def _known_config(name: str) -> Config:
    """Return the description that timm has of one of its names, with or without a tag."""
    _require_known(name.partition(".")[0], "features.visual.encoder: timm:")
    timm = _timm()
    try:
        known = timm.get_pretrained_cfg(name)
    except RuntimeError:
        tags = [t.partition(".")[2] for t in timm.list_pretrained(name.partition(".")[0] + ".*")]
        raise ValueError(f"timm has no {name}; its tags are {', '.join(tags)}") from None
    values = {"architecture": name.partition(".")[0], "pretrained_cfg": known.to_dict()}
    config: Config = check_json(Path(f"timm:{name}"), values, Config, "choose another network")
    return config


def _require_known(architecture: str, where: str) -> None:
    timm = _timm()
    if timm.is_model(architecture):
        return
    close = get_close_matches(architecture, timm.list_models(), n=1)
    hint = f"; did you mean {close[0]}?" if close else "; timm.list_models() lists its networks"
    raise ValueError(f"{where}{architecture} is no network of timm {timm.__version__}{hint}")


def tensors_file(folder: Path) -> Path:
    """Return a folder's tensors; raises ValueError where there are none."""
    if not (folder / TENSORS).is_file():
        raise ValueError(f"{folder}: has no {TENSORS}, and no other form is read; {_CURE}")
    return folder / TENSORS


def built(config: Config, file: Path) -> nn.Module:
    """Build the network without its classifier; raises ValueError for the first wrong tensor."""
    architecture, facts = config.architecture, config.pretrained_cfg
    state = _without_classifier(read_state(require_weights(file)), facts.classifier)
    arguments = {**config.model_args, "num_classes": 0}
    if facts.fixed_input_size:
        arguments.setdefault("img_size", list(facts.input_size[1:]))
    try:
        network: nn.Module = _timm().create_model(architecture, **arguments)
    except TypeError as error:
        raise ValueError(f"timm's {architecture} cannot be built: {error}; {_CURE}") from None
    load_weights(network, state, file, f"timm's {architecture}")
    return network.eval().requires_grad_(False)


def layers() -> tuple[tuple[type[nn.Module], ...], tuple[type[nn.Module], ...]]:
    """Return the types of convolutions and batch norms of which one can do the other's work."""
    known = _timm().layers
    return (nn.Conv2d, known.Conv2dSame), (nn.BatchNorm2d, known.BatchNormAct2d)


def _without_classifier(
    state: dict[str, Tensor], classifier: str | tuple[str, ...] | None
) -> dict[str, Tensor]:
    names = (classifier,) if isinstance(classifier, str) else classifier or ()
    prefixes = tuple(f"{name}." for name in names)
    return {name: tensor for name, tensor in state.items() if not name.startswith(prefixes)}


@torch.inference_mode()
def pooled_width(network: nn.Module, side: int, file: Path) -> int:
    """Return the width of the pooled vector, as it comes out: some networks add a layer."""
    output = network(torch.zeros(1, 3, side, side))
    if output.ndim != 2 or not output.isfinite().all():
        raise ValueError(f"{file}: the network gives no finite vector of a black picture")
    return output.shape[1]
