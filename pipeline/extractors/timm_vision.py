"""Any of timm's picture networks, with the weights of a file or of a folder in timm's hub form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from safetensors.torch import save_file

from pipeline.extractors.batch_norms import fold_batch_norms
from pipeline.extractors.device import (
    PRECISIONS,
    exact_convolutions,
    require_device,
    round_convolutions,
)
from pipeline.extractors.encoder import Identity, Origin, Run, folder_digest
from pipeline.extractors.model_folder import model_folder
from pipeline.extractors.pictures import Preparation
from pipeline.extractors.timm_folder import (
    CONFIG,
    TENSORS,
    Config,
    built,
    described,
    layers,
    pooled_width,
    tensors_file,
)
from pipeline.ground.temporaries import write_text, written_whole
from pipeline.inputs.json_files import read_json
from pipeline.runtime import device

DEFAULT_SIZE = 224  # of features.visual.size: no wish for another than the network's own


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
        """Width of the pooled vector."""
        return self.config.num_features

    @classmethod
    def obtain(cls, source: str, weights: str, folder: Path) -> Origin:
        """Write timm's hub form of a network, checked and without its classifier.

        `source` is a name that timm knows, with `weights` a .safetensors or .pth file, or a folder
        in timm's hub form, with `weights` pretrained or a file. Raises ValueError.
        """
        if weights == "untrained":
            raise ValueError("timm networks have no untrained weights: set them to pretrained")
        model = model_folder(f"timm:{source}") if weights == "pretrained" else None
        config = described(source if model is None else str(model.path))
        file = Path(weights).expanduser() if model is None else tensors_file(model.path)
        network = built(config, file)
        side = config.pretrained_cfg.input_size[1]
        found = config.model_copy(update={"num_features": pooled_width(network, side, file)})
        state = {
            n: t.contiguous() for n, t in network.state_dict().items() if t.is_floating_point()
        }
        with written_whole(folder / TENSORS) as temporary:
            save_file(state, temporary)
        write_text(folder / CONFIG, json.dumps(found.model_dump(), indent=2) + "\n")
        if model is None:
            return Origin(f"timm:{source}", "given", "not stated", file.name)
        licence = model.licence or config.pretrained_cfg.license or "not stated"
        return Origin(f"timm:{source}", "pretrained", licence, model.note)

    @classmethod
    def of(cls, folder: Path, params: Any) -> TimmVisual:
        """Return the network of a folder at its own input size, or at a changed `params.size`.

        Raises ValueError for a size that the network cannot take.
        """
        config: Config = read_json(folder / CONFIG, Config, "run the weights stage again")
        size = _chosen_size(config, params.size)
        return cls(folder, config, size, params.precision)

    @property
    def preparation(self) -> Preparation:
        """How a picture becomes an input."""
        return self.config.pretrained_cfg.preparation(self.size)

    def identity(self) -> Identity:
        """Code version, weights and settings."""
        return {
            "version": self.version,
            "weights": folder_digest(self.folder),
            "encoder": f"timm:{self.config.architecture}",
            "size": self.size,
            "precision": self.precision,
        }

    def prepare(
        self, picture: UInt8[np.ndarray, "height width 3"]
    ) -> UInt8[np.ndarray, "side side 3"]:
        """Resize and cut a picture."""
        return self.preparation.square(picture)

    def load(self) -> Run:
        """Load the network: inputs uint8 [n, side, side, 3], each a batch of its own."""
        where, precision = require_device(device()), PRECISIONS[self.precision]
        network, preparation = built(self.config, self.folder / TENSORS), self.preparation
        fold_batch_norms(network, torch.zeros(1, 3, self.size, self.size), *layers())
        if self.precision == "bfloat16":
            round_convolutions(network)
        network = network.to(where).to(memory_format=torch.channels_last)

        @torch.inference_mode()
        def features(pictures: np.ndarray) -> Float32[np.ndarray, "n dim"]:
            values = preparation.normalise(torch.from_numpy(pictures).to(where)).to(precision)
            with exact_convolutions():
                return network(values).float().cpu().numpy()

        def run(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
            return [features(pictures) for pictures in inputs]

        return run


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
