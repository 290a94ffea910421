"""AllenNLP's files of ELMo: options.json and weights.hdf5, checked and read into layers."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from pipeline.extractors.elmo_layers import (
    LONGEST_WORD,
    SYMBOLS,
    Cells,
    CharacterCNN,
    Highway,
    RecurrentLayer,
)
from pipeline.inputs.hdf5 import open_hdf5, read_floats
from pipeline.inputs.json_files import read_json
from pipeline.inputs.weight_files import check_shapes, check_tensors, require_weights

_Tensor = Callable[[str], Tensor]

# Memory cells whose gates are computed together: half a megabyte at 64 rows.
CELLS = 512

# Ten times the largest size of a published model.
MAX_SIZE = 1 << 16

# (memory cells, output of one direction, highways) of the published models.
SIZES = {
    "small": (1024, 128, 1),
    "medium": (2048, 256, 1),
    "original": (4096, 512, 2),
    "original_5.5b": (4096, 512, 2),
}

_Size = Annotated[int, Field(strict=True, ge=1, le=MAX_SIZE)]
_Clip = Annotated[float, Field(strict=True, gt=0)] | None


class _Section(BaseModel):
    # Options of training are ignored.
    model_config = ConfigDict(extra="ignore", frozen=True)


class LSTMOptions(_Section):
    """Sizes of the recurrent layers; null for a clip means that there is none."""

    use_skip_connections: Literal[True]
    projection_dim: _Size
    cell_clip: _Clip
    proj_clip: _Clip
    dim: _Size
    n_layers: _Size


class EmbeddingOptions(_Section):
    """Size of a character's vector."""

    dim: _Size


class CharacterOptions(_Section):
    """Sizes of the character CNN; `filters` are pairs of width and number."""

    activation: Literal["relu"]
    filters: Annotated[list[tuple[_Size, _Size]], Field(min_length=1)]
    n_highway: _Size
    embedding: EmbeddingOptions
    n_characters: Literal[262]
    max_characters_per_token: Literal[50]


class Options(_Section):
    """The content of options.json."""

    lstm: LSTMOptions
    char_cnn: CharacterOptions


def published_options(model: str) -> dict[str, Any]:
    """Return the options of a model of `SIZES`."""
    memory, width, highways = SIZES[model]
    return {
        "lstm": {
            "use_skip_connections": True,
            "projection_dim": width,
            "cell_clip": 3,
            "proj_clip": 3,
            "dim": memory,
            "n_layers": 2,
        },
        "char_cnn": {
            "activation": "relu",
            "filters": [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
            "n_highway": highways,
            "embedding": {"dim": 16},
            "n_characters": SYMBOLS,
            "max_characters_per_token": LONGEST_WORD,
        },
    }


def read_options(path: Path) -> Options:
    """Read options.json; raises ValueError naming the file and the option that is wrong."""
    options: Options = read_json(path, Options, "is it an options file of ELMo?")
    return options


def tensor_shapes(options: Options) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor in weights.hdf5; id 0, "no word", has no row there."""
    cnn, lstm = options.char_cnn, options.lstm
    width, memory, depth = lstm.projection_dim, lstm.dim, cnn.embedding.dim
    n = sum(filters for _, filters in cnn.filters)
    shapes: dict[str, tuple[int, ...]] = {"char_embed": (SYMBOLS - 1, depth)}
    for k, (length, filters) in enumerate(cnn.filters):
        shapes |= {f"CNN/W_cnn_{k}": (1, length, depth, filters), f"CNN/b_cnn_{k}": (filters,)}
    for k in range(cnn.n_highway):
        for gate in ("transform", "carry"):
            shapes |= {f"CNN_high_{k}/W_{gate}": (n, n), f"CNN_high_{k}/b_{gate}": (n,)}
    shapes |= {"CNN_proj/W_proj": (n, width), "CNN_proj/b_proj": (width,)}
    for direction in (0, 1):
        for layer in range(lstm.n_layers):
            cell = cell_name(direction, layer)
            shapes[f"{cell}/W_0"] = (2 * width, 4 * memory)
            shapes[f"{cell}/B"] = (4 * memory,)
            shapes[f"{cell}/W_P_0"] = (memory, width)
    return shapes


def cell_name(direction: int, layer: int) -> str:
    """Return the HDF5 group of a recurrent layer; direction 0 reads forwards."""
    return f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"


def read_elmo(options_path: Path, weights_path: Path) -> tuple[Options, dict[str, Tensor]]:
    """Read a model's two files: its options and its float32 tensors by name.

    Raises ValueError naming the file and the first option or tensor that is wrong.
    """
    options = read_options(require_weights(options_path))
    expected = tensor_shapes(options)
    with open_hdf5(require_weights(weights_path)) as file:
        tensors = {name: torch.from_numpy(read_floats(file, name)) for name in expected}
    network = f"the ELMo that {options_path} describes: are they of different models?"
    check_tensors(weights_path, network, tensors, expected)
    return options, tensors


def check_model(options_path: Path, weights_path: Path, model: str) -> None:
    """Raise ValueError as `read_elmo` does, also for files of another size than `model`'s."""
    expected = tensor_shapes(Options.model_validate(published_options(model)))
    shapes = tensor_shapes(read_options(options_path))
    check_shapes(options_path, f"ELMo's {model} model", shapes, expected)
    read_elmo(options_path, weights_path)


def read_layers(
    options_path: Path, weights_path: Path, device: str, kind: torch.dtype
) -> tuple[CharacterCNN, list[list[RecurrentLayer]]]:
    """Return the character CNN and each direction's recurrent layers, the lowest first.

    Matrices that are multiplied are of `kind`, all other tensors float32, all on `device`.
    Raises ValueError as `read_elmo` does.
    """
    options, tensors = read_elmo(options_path, weights_path)

    def tensor(name: str) -> Tensor:
        return tensors.pop(name).to(device)  # its memory is free once it is converted

    def matrix(name: str) -> Tensor:
        # The weights of one output are contiguous, which is fastest to multiply.
        return tensor(name).T.to(kind).contiguous()

    cnn = _character_cnn(options.char_cnn, tensor, matrix)
    directions = [
        [
            _recurrent(options.lstm, cell_name(direction, layer), tensor, matrix)
            for layer in range(options.lstm.n_layers)
        ]
        for direction in (0, 1)
    ]
    return cnn, directions


def _character_cnn(options: CharacterOptions, tensor: _Tensor, matrix: _Tensor) -> CharacterCNN:
    # The file has no row for id 0, which means "no word".
    embedding = torch.nn.functional.pad(tensor("char_embed"), (0, 0, 1, 0))
    filters = [
        # TensorFlow's [1, width, in, out] to [out, in, width].
        (
            tensor(f"CNN/W_cnn_{k}").squeeze(0).permute(2, 1, 0).contiguous(),
            tensor(f"CNN/b_cnn_{k}"),
        )
        for k in range(len(options.filters))
    ]
    highways = [
        Highway(
            matrix(f"CNN_high_{k}/W_transform"),
            tensor(f"CNN_high_{k}/b_transform"),
            matrix(f"CNN_high_{k}/W_carry"),
            tensor(f"CNN_high_{k}/b_carry"),
        )
        for k in range(options.n_highway)
    ]
    projection, bias = matrix("CNN_proj/W_proj"), tensor("CNN_proj/b_proj")
    return CharacterCNN(embedding, filters, highways, projection, bias)


def _recurrent(options: LSTMOptions, cell: str, tensor: _Tensor, matrix: _Tensor) -> RecurrentLayer:
    projection = matrix(f"{cell}/W_P_0")
    return RecurrentLayer(
        cells=_cells(tensor(f"{cell}/W_0"), tensor(f"{cell}/B"), projection.dtype),
        w_projection=projection,
        cell_clip=options.cell_clip or inf,
        projection_clip=options.proj_clip or inf,
    )


def _cells(weights: Tensor, bias: Tensor, kind: torch.dtype) -> list[Cells]:
    """Split a layer's cells and reorder their gates from the file's i, j, f, o to i, f, o, j.

    TensorFlow adds 1 to the bias of f at run time; here it becomes part of the bias.
    """
    gates = weights.T.unflatten(0, (4, -1))[[0, 2, 3, 1]]  # [4, H, 2 D]
    biases = bias.view(4, -1)[[0, 2, 3, 1]]
    biases[1] += 1
    gates[3] *= 2
    biases[3] *= 2
    ranges = [slice(start, start + CELLS) for start in range(0, gates.shape[1], CELLS)]
    return [
        Cells(cells, gates[:, cells].flatten(0, 1).to(kind), biases[:, cells].flatten())
        for cells in ranges
    ]
