"""Seeded weights of ELMo in AllenNLP's file format."""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.extractors.elmo_characters import LONGEST_WORD, PADDING, SYMBOLS
from pipeline.extractors.elmo_options import cell_name
from pipeline.extractors.seeded import normal

# (memory cells, output of one direction, highways) of the published models.
SIZES = {
    "small": (1024, 128, 1),
    "medium": (2048, 256, 1),
    "original": (4096, 512, 2),
    "original_5.5b": (4096, 512, 2),
}
CHARACTER_WIDTH = 16
FILTERS = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))
CLIP = 3


def elmo_options(model: str) -> dict[str, Any]:
    """Return the options of a published model; raises ValueError for an unknown one."""
    if model not in SIZES:
        raise ValueError(f"model is {model!r}; allowed: {', '.join(SIZES)}")
    memory, width, highways = SIZES[model]
    return {
        "lstm": {
            "use_skip_connections": True,
            "projection_dim": width,
            "cell_clip": CLIP,
            "proj_clip": CLIP,
            "dim": memory,
            "n_layers": 2,
        },
        "char_cnn": {
            "activation": "relu",
            "filters": [list(pair) for pair in FILTERS],
            "n_highway": highways,
            "embedding": {"dim": CHARACTER_WIDTH},
            "n_characters": SYMBOLS,
            "max_characters_per_token": LONGEST_WORD,
        },
    }


def write_elmo(options_path: Path, weights_path: Path, model: str = "small") -> None:
    """Write options.json and weights.hdf5 of an untrained model of a published size.

    Scales keep words apart and memory cells unsaturated: tensors are drawn so that values stay
    near 1 in root mean square from layer to layer. Raises ValueError for an unknown model.
    """
    options = elmo_options(model)
    options_path.write_text(json.dumps(options, indent=2) + "\n", encoding="utf-8")
    with h5py.File(weights_path, "w") as file:  # h5py writes no times by default
        for name, tensor in _character_cnn(model).items():
            file[name] = tensor
        for direction in (0, 1):
            for layer in (0, 1):
                for name, tensor in _cell(model, cell_name(direction, layer)).items():
                    file[name] = tensor


def _character_cnn(model: str) -> dict[str, np.ndarray]:
    _, width, highways = SIZES[model]
    embedding = normal("char_embed", (SYMBOLS - 1, CHARACTER_WIDTH), 1.0)
    # Zero padding: else every word's maxima would mostly be those of the same padding.
    embedding[PADDING] = 0
    tensors = {"char_embed": embedding}
    for k, (span, filters) in enumerate(FILTERS):
        shape = (1, span, CHARACTER_WIDTH, filters)
        tensors[f"CNN/W_cnn_{k}"] = normal(f"cnn{k}", shape, 1 / sqrt(span * CHARACTER_WIDTH))
        tensors[f"CNN/b_cnn_{k}"] = np.zeros(filters, np.float32)
    n = sum(filters for _, filters in FILTERS)
    for k in range(highways):
        high = f"CNN_high_{k}"
        tensors[f"{high}/W_transform"] = normal(f"{high}t", (n, n), 1 / sqrt(n))
        tensors[f"{high}/b_transform"] = np.zeros(n, np.float32)
        tensors[f"{high}/W_carry"] = normal(f"{high}c", (n, n), 1 / sqrt(n))
        tensors[f"{high}/b_carry"] = np.full(n, -2, np.float32)  # as training begins: mostly carry
    tensors["CNN_proj/W_proj"] = _projection(n, width)
    tensors["CNN_proj/b_proj"] = np.zeros(width, np.float32)
    return tensors


def _projection(n: int, width: int) -> np.ndarray:
    """Draw a projection that leaves out what all words share.

    Maxima are positive and about equal within the filters of one span: weights that add up to
    zero there cancel that part, in which 80 % of the similarity of any two words would lie.
    """
    weights = normal("CNN_proj", (n, width), 2 / sqrt(n))
    start = 0
    for _, filters in FILTERS:
        weights[start : start + filters] -= weights[start : start + filters].mean(axis=0)
        start += filters
    return weights


def _cell(model: str, name: str) -> dict[str, np.ndarray]:
    memory, width, _ = SIZES[model]
    # Half of the gates' variance comes from the input, half from the step before. The projection
    # restores the scale that sigmoid(o) tanh(c), of about 0.3, loses.
    return {
        f"{name}/W_0": normal(f"{name}w", (2 * width, 4 * memory), 1 / sqrt(2 * width)),
        f"{name}/B": np.zeros(4 * memory, np.float32),
        f"{name}/W_P_0": normal(f"{name}p", (memory, width), 3 / sqrt(memory)),
    }
