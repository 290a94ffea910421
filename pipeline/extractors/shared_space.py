"""Texts in the space of a visual encoder's pictures, where its model has towers for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path

import numpy as np
from jaxtyping import Float
from safetensors import safe_open

from pipeline.extractors.encoder import Origin
from pipeline.extractors.hf_folder import CONFIG, weight_files
from pipeline.inputs.json_files import read_json


@dataclass(frozen=True)
class SharedSpace:
    """Text vectors [n, dim], and what turns a cosine into a logit: `scale` and `bias`.

    `sigmoid` says that a logit stands for itself, as in SigLIP; CLIP compares those of all texts.
    """

    texts: Float[np.ndarray, "n dim"]
    scale: float
    bias: float
    sigmoid: bool

    def logits(self, pictures: Float[np.ndarray, "m dim"]) -> Float[np.ndarray, "m n"]:
        """Return the logit of each picture with each text."""
        return self.scale * _unit(pictures) @ _unit(self.texts).T + self.bias


def has_texts(folder: Path) -> bool:
    """Return whether the visual weights in a folder come with a text tower of the same space."""
    if not folder.is_dir() or not Origin.of(folder).encoder.startswith("hf:"):
        return False
    from pipeline.extractors.hf_text import TOWERS
    from pipeline.extractors.hf_tokens import TOKENIZER

    kind = read_json(folder / CONFIG, dict[str, object]).get("model_type")
    return kind in TOWERS and (folder / TOKENIZER).is_file()


def shared_space(folder: Path, texts: Sequence[str]) -> SharedSpace:
    """Embed texts with the text tower of a folder of visual weights.

    Raises ValueError naming the folder if the weights have no such tower or no scale.
    """
    from pipeline.extractors.hf_text import HFText

    encoder = HFText(folder)
    vectors = encoder.load()([encoder.prepare(text)[: encoder.longest] for text in texts])
    numbers = _numbers(folder)
    if "logit_scale" not in numbers:
        raise ValueError(f"{folder}: no tensor logit_scale; take the whole model, with both towers")
    sigmoid = "logit_bias" in numbers
    bias = numbers.get("logit_bias", 0.0)
    return SharedSpace(np.concatenate(vectors), exp(numbers["logit_scale"]), bias, sigmoid)


def _numbers(folder: Path) -> dict[str, float]:
    """Read the single numbers that stand beside the two towers."""
    numbers = {}
    for path in weight_files(folder):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                if name in ("logit_scale", "logit_bias"):
                    numbers[name] = float(file.get_tensor(name).reshape(-1)[0])
    return numbers


def _unit(vectors: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n dim"]:
    vectors = vectors.astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
