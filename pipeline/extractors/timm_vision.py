"""Any of timm's picture networks, with the weights of a file or of a folder in timm's hub form."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import save_file
from torch import nn

from pipeline.extractors.batch_norms import fold_batch_norms
from pipeline.extractors.device import PRECISIONS, require_device, round_convolutions
from pipeline.extractors.encoder import Identity, Origin, Run, folder_digest
from pipeline.extractors.hf_folder import offline
from pipeline.extractors.pictures import RGB, Preparation, run_on_pictures
from pipeline.extractors.weights import model_folder
from pipeline.ground.temporaries import write_text, written_whole
from pipeline.inputs.json_files import check_json, read_json
from pipeline.inputs.weight_files import load_weights, read_state, require_weights
from pipeline.runtime import device

CONFIG, TENSORS = "config.json", "model.safetensors"
DEFAULT_SIZE = 224  # of features.visual.size: the network's own size is wanted

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


class Config(BaseModel):
    """The config.json of timm's hub form; `num_features` is the width of the pooled vector."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    architecture: str = Field(pattern=r"^[a-z0-9_]+$")
    num_features: int = 0
    model_args: dict[str, Argument] = {}
    pretrained_cfg: Input


@dataclass(frozen=True)
class TimmVisual:
    """The pooled features of a network of timm, without its classifier.

    Pictures are resized, cut and normalised as timm does for this network. In bfloat16 the cosine
    to float32 is above 0.999 a picture.
    """

    folder: Path
    config: Config
    size: int
    precision: str = "float32"
    version: ClassVar[str] = "1"
    batch: ClassVar[int] = 1
    gpu: ClassVar[bool] = True

    @property
    def dim(self) -> int:
        """See Encoder."""
        return self.config.num_features

    @classmethod
    def obtain(cls, source: str, weights: str, folder: Path) -> Origin:
        """See Encoder; writes timm's hub form of a network, without its classifier.

        `source` is a name that timm knows, with `weights` a .safetensors or .pth file, or a folder
        in timm's hub form, with `weights` pretrained or a file.
        """
        if weights == "untrained":
            raise ValueError("timm networks have no untrained weights: set them to pretrained")
        if weights == "pretrained":
            model = model_folder(f"timm:{source}")
            config, file = described(str(model.path)), model.path / TENSORS
            licence = model.licence or config.pretrained_cfg.license or "not stated"
            origin = Origin(f"timm:{source}", "pretrained", licence, model.note)
            if not file.is_file():
                raise ValueError(f"{file}: missing, and no other form is read; {_CURE}")
        else:
            config, file = described(source), Path(weights).expanduser()
            origin = Origin(f"timm:{source}", "given", "not stated", file.name)
        network = built(config, file)
        width = _pooled_width(network, config.pretrained_cfg.input_size[1], file)
        tensors = network.state_dict().items()
        state = {name: t.contiguous() for name, t in tensors if t.is_floating_point()}
        with written_whole(folder / TENSORS) as temporary:
            save_file(state, temporary)
        values = config.model_copy(update={"num_features": width}).model_dump()
        write_text(folder / CONFIG, json.dumps(values, indent=2) + "\n")
        return origin

    @classmethod
    def of(cls, folder: Path, params: Any) -> TimmVisual:
        """See Encoder; at the network's own input size, or at a changed `params.size`.

        Raises ValueError for a size that the network cannot take.
        """
        config: Config = read_json(folder / CONFIG, Config, "run the weights stage again")
        size = _chosen_size(config, params.size)
        return cls(folder, config, size, params.precision)

    @property
    def preparation(self) -> Preparation:
        """How a picture becomes an input: timm's own way of evaluation."""
        facts = self.config.pretrained_cfg
        return Preparation(
            side=self.size,
            resized=math.floor(self.size / facts.crop_pct),
            fit="both" if facts.crop_mode == "squash" else "shorter",
            interpolation=Image.Resampling[facts.interpolation.upper()],
            mean=facts.mean,
            deviation=facts.std,
            half="even",
        )

    def identity(self) -> Identity:
        """See Encoder."""
        return {
            "version": self.version,
            "weights": folder_digest(self.folder),
            "encoder": f"timm:{self.config.architecture}",
            "size": self.size,
            "precision": self.precision,
        }

    def prepare(self, raw: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "side side 3"]:
        """See Encoder."""
        return self.preparation.square(raw)

    def load(self) -> Run:
        """See Encoder; each input is a batch of its own."""
        where = require_device(device())
        network = built(self.config, self.folder / TENSORS)
        fold(network, self.size)
        if self.precision == "bfloat16":
            round_convolutions(network)
        network = network.to(where).to(memory_format=torch.channels_last)
        return run_on_pictures(network, self.preparation, where, PRECISIONS[self.precision])


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
    timm, (architecture, _, _) = _timm(), name.partition(".")
    _require_known(architecture, "features.visual.encoder: timm:")
    try:
        known = timm.get_pretrained_cfg(name)
    except RuntimeError:
        tags = [t.partition(".")[2] for t in timm.list_pretrained(f"{architecture}.*")]
        raise ValueError(f"timm has no {name}; its tags are {', '.join(tags)}") from None
    values = {"architecture": architecture, "pretrained_cfg": known.to_dict()}
    config: Config = check_json(Path(f"timm:{name}"), values, Config, "choose another network")
    return config


def _require_known(architecture: str, where: str) -> None:
    timm = _timm()
    if timm.is_model(architecture):
        return
    close = get_close_matches(architecture, timm.list_models(), n=1)
    hint = f"; did you mean {close[0]}?" if close else "; timm.list_models() lists its networks"
    raise ValueError(f"{where}{architecture} is no network of timm {timm.__version__}{hint}")


def _timm() -> Any:
    """Import timm, offline; raises ValueError where the extra is missing."""
    offline()
    try:
        import timm
    except ImportError:
        raise ValueError('timm is not installed; pip install -e ".[encoders]" brings it') from None
    return timm


def built(config: Config, file: Path) -> nn.Module:
    """Build the network without its classifier; raises ValueError for the first wrong tensor."""
    architecture, facts = config.architecture, config.pretrained_cfg
    names = (facts.classifier,) if isinstance(facts.classifier, str) else facts.classifier or ()
    heads = tuple(f"{name}." for name in names)
    state = {n: t for n, t in read_state(require_weights(file)).items() if not n.startswith(heads)}
    arguments = {**config.model_args, "num_classes": 0}
    if facts.fixed_input_size:
        arguments.setdefault("img_size", list(facts.input_size[1:]))
    try:
        network: nn.Module = _timm().create_model(architecture, **arguments)
    except TypeError as error:
        raise ValueError(f"timm's {architecture} cannot be built: {error}; {_CURE}") from None
    load_weights(network, state, file, f"timm's {architecture}")
    return network.eval().requires_grad_(False)


def fold(network: nn.Module, side: int) -> int:
    """Fold the batch norms of a network of timm, also those of types of its own."""
    own, example = _timm().layers, torch.zeros(1, 3, side, side)
    convolutions, norms = (nn.Conv2d, own.Conv2dSame), (nn.BatchNorm2d, own.BatchNormAct2d)
    return fold_batch_norms(network, example, convolutions, norms)


@torch.inference_mode()
def _pooled_width(network: nn.Module, side: int, file: Path) -> int:
    """Return the width of the pooled vector, as it comes out: some networks add a layer."""
    output = network(torch.zeros(1, 3, side, side))
    if output.ndim != 2 or not output.isfinite().all():
        raise ValueError(f"{file}: the network gives no finite vector of a black picture")
    return output.shape[1]


def _chosen_size(config: Config, wanted: int) -> int:
    described = config.pretrained_cfg
    height, width = described.input_size[1:]
    if height != width:
        raise ValueError(f"timm's {config.architecture} takes {width} x {height}, no square")
    if wanted in (DEFAULT_SIZE, height):
        return height
    least = max((described.min_input_size or (3, 1, 1))[1:])
    if described.fixed_input_size or wanted < least:
        only = f"only {height}" if described.fixed_input_size else f"{least} or more"
        raise ValueError(
            f"features.visual.size: timm's {config.architecture} takes {only}; set it back to "
            f"{DEFAULT_SIZE}, which means the network's own size"
        )
    return wanted
