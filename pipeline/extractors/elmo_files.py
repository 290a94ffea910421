"""ELMo's official options.json and weights.hdf5, read into layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

from pipeline.extractors.digest import require_weights
from pipeline.extractors.elmo_layers import CharacterCNN, Highway, RecurrentLayer

Read = Callable[[str], Tensor]


def read_layers(
    options_path: str | Path, weights_path: str | Path
) -> tuple[CharacterCNN, list[list[RecurrentLayer]]]:
    """Return the character CNN and, for each direction, its recurrent layers from the bottom up.

    Raises ValueError naming file and key when an option or tensor is missing or has another shape
    than the options say.
    """
    options = _read_options(require_weights(options_path))
    weights_path = require_weights(weights_path)
    try:
        with h5py.File(weights_path) as file:
            read = _reader(file, weights_path)
            cnn = _character_cnn(options, read)
            layers = range(options["lstm"]["n_layers"])
            return cnn, [[_recurrent(options, read, d, k) for k in layers] for d in (0, 1)]
    except OSError as error:
        raise ValueError(f"{weights_path}: not a readable HDF5 file ({error})") from error
    except KeyError as error:
        raise ValueError(f"{options_path}: option {error} is missing") from None


def _read_options(path: Path) -> dict[str, Any]:
    try:
        options = json.loads(path.read_text(encoding="utf-8"))
        activation = options["char_cnn"]["activation"]
        skip = options["lstm"]["use_skip_connections"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not an options file of ELMo ({error!r})") from None
    if activation != "relu" or not skip:
        raise ValueError(
            f"{path}: activation {activation!r}, use_skip_connections {skip!r}; allowed: the "
            "published models' 'relu' and true"
        )
    return options


def _reader(file: h5py.File, path: Path) -> Read:
    def read(name: str) -> Tensor:
        if name not in file:
            raise ValueError(f"{path}: tensor {name} is missing; is it the weights of ELMo?")
        return torch.from_numpy(np.asarray(file[name][...], dtype=np.float32))

    return read


def _character_cnn(options: dict[str, Any], read: Read) -> CharacterCNN:
    cnn = options["char_cnn"]
    # The file has no row for id 0, which stands for "no word".
    embedding = torch.nn.functional.pad(read("char_embed"), (0, 0, 1, 0))
    filters = [
        # [1, width, in, out] as TensorFlow keeps it, to [out, in, width].
        (read(f"CNN/W_cnn_{k}").squeeze(0).permute(2, 1, 0).contiguous(), read(f"CNN/b_cnn_{k}"))
        for k in range(len(cnn["filters"]))
    ]
    highways = [
        Highway(*(read(f"CNN_high_{k}/{name}") for name in HIGHWAY))
        for k in range(cnn["n_highway"])
    ]
    return CharacterCNN(
        embedding, filters, highways, read("CNN_proj/W_proj"), read("CNN_proj/b_proj")
    )


HIGHWAY = ("W_transform", "b_transform", "W_carry", "b_carry")


def _recurrent(options: dict[str, Any], read: Read, direction: int, layer: int) -> RecurrentLayer:
    lstm = options["lstm"]
    cell = cell_name(direction, layer)
    weights, bias = read(f"{cell}/W_0"), read(f"{cell}/B").clone()
    width, memory = lstm["projection_dim"], lstm["dim"]
    if weights.shape != (2 * width, 4 * memory):
        raise ValueError(
            f"{cell}/W_0 is {tuple(weights.shape)}, the options say {(2 * width, 4 * memory)}; "
            "options and weights are of different models"
        )
    bias[2 * memory : 3 * memory] += 1  # TensorFlow's forget bias, which is not in the file
    return RecurrentLayer(
        w_input=weights[:width].contiguous(),
        w_hidden=weights[width:].contiguous(),
        bias=bias,
        w_projection=read(f"{cell}/W_P_0"),
        cell_clip=float(lstm["cell_clip"]),
        projection_clip=float(lstm["proj_clip"]),
    )


def cell_name(direction: int, layer: int) -> str:
    """Name the group of a recurrent layer's tensors; direction 0 reads forwards."""
    return f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
