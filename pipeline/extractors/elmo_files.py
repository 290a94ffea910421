"""ELMo's official options.json and weights.hdf5, read into layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.extractors.elmo_layers import Cells, CharacterCNN, Highway, RecurrentLayer
from pipeline.extractors.elmo_options import cell_name
from pipeline.extractors.elmo_tensors import open_elmo

Read = Callable[[str], Tensor]

# Memory cells whose gates are computed together: with `LANES` rows, half a megabyte.
CELLS = 512


def read_layers(
    options_path: str | Path, weights_path: str | Path, device: str, kind: torch.dtype
) -> tuple[CharacterCNN, list[list[RecurrentLayer]]]:
    """Return the character CNN and, for each direction, its recurrent layers from the bottom up.

    Matrices that are multiplied are of `kind`, all other tensors float32, all on `device`.
    Raises ValueError naming file and key when an option or tensor is missing or has another shape
    than the options say.
    """
    with open_elmo(options_path, weights_path) as (options, array):

        def read(name: str) -> Tensor:
            return torch.from_numpy(array(name)).to(device)

        cnn = _character_cnn(options, read, kind)
        layers = range(options["lstm"]["n_layers"])
        return cnn, [[_recurrent(options, read, kind, d, k) for k in layers] for d in (0, 1)]


def _character_cnn(options: dict[str, Any], read: Read, kind: torch.dtype) -> CharacterCNN:
    cnn = options["char_cnn"]
    # The file has no row for id 0, which stands for "no word".
    embedding = torch.nn.functional.pad(read("char_embed"), (0, 0, 1, 0))
    filters = [
        # [1, width, in, out] as TensorFlow keeps it, to [out, in, width].
        (read(f"CNN/W_cnn_{k}").squeeze(0).permute(2, 1, 0).contiguous(), read(f"CNN/b_cnn_{k}"))
        for k in range(len(cnn["filters"]))
    ]
    highways = [
        Highway(
            _turned(read(f"CNN_high_{k}/W_transform"), kind),
            read(f"CNN_high_{k}/b_transform"),
            _turned(read(f"CNN_high_{k}/W_carry"), kind),
            read(f"CNN_high_{k}/b_carry"),
        )
        for k in range(cnn["n_highway"])
    ]
    projection = _turned(read("CNN_proj/W_proj"), kind)
    return CharacterCNN(embedding, filters, highways, projection, read("CNN_proj/b_proj"))


def _turned(weights: Tensor, kind: torch.dtype) -> Tensor:
    """Lay the weights of one output side by side, as products are fastest."""
    return weights.T.to(kind).contiguous()


def _recurrent(
    options: dict[str, Any], read: Read, kind: torch.dtype, direction: int, layer: int
) -> RecurrentLayer:
    lstm = options["lstm"]
    cell = cell_name(direction, layer)
    weights, bias = read(f"{cell}/W_0"), read(f"{cell}/B")
    return RecurrentLayer(
        cells=_cells(weights, bias, kind),
        w_projection=_turned(read(f"{cell}/W_P_0"), kind),
        cell_clip=lstm["cell_clip"],
        projection_clip=lstm["proj_clip"],
    )


def _cells(weights: Tensor, bias: Tensor, kind: torch.dtype) -> list[Cells]:
    """Split a layer's cells, and bring their gates from the file's order i, j, f, o to i, f, o, j.

    To the bias of f the 1 is added that TensorFlow adds itself and keeps out of the file.
    """
    gates = weights.T.unflatten(0, (4, -1))[[0, 2, 3, 1]]  # [4, H, 2 D]
    biases = bias.view(4, -1)[[0, 2, 3, 1]]
    biases[1] += 1
    gates[3] *= 2
    biases[3] *= 2
    spans = [slice(start, start + CELLS) for start in range(0, gates.shape[1], CELLS)]
    return [
        Cells(span, gates[:, span].flatten(0, 1).to(kind), biases[:, span].flatten())
        for span in spans
    ]
