"""ELMo's official options.json: read, checked, and the shapes of the tensors that it describes."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path
from typing import Any

from pipeline.extractors.elmo_characters import LONGEST_WORD, SYMBOLS

# The largest published model is a tenth of it in every direction.
LARGEST = 1 << 16
MOST = 64

_COUNTS = ("lstm.projection_dim", "lstm.dim", "lstm.n_layers", "char_cnn.embedding.dim")
_CLIPS = ("lstm.cell_clip", "lstm.proj_clip")
_FIXED = {
    "lstm.use_skip_connections": True,
    "char_cnn.activation": "relu",
    "char_cnn.n_characters": SYMBOLS,
    "char_cnn.max_characters_per_token": LONGEST_WORD,
}


def read_options(path: Path) -> dict[str, Any]:
    """Return the options; a clip that is null is infinite, as in bilm-tf.

    Raises ValueError naming the file and the option that is missing, or not as in the published
    models.
    """
    try:
        with path.open("rb") as file:
            options = json.loads(file.read(LARGEST))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not an options file of ELMo ({error})") from None
    for key, allowed in _FIXED.items():
        if _option(path, options, key) != allowed:
            told = f"{key} is {_option(path, options, key)!r}"
            raise ValueError(f"{path}: {told}; allowed: {json.dumps(allowed)}, as published")
    for key in _COUNTS:
        _check_count(path, key, _option(path, options, key), LARGEST)
    _check_count(path, "char_cnn.n_highway", _option(path, options, "char_cnn.n_highway"), MOST)
    _check_filters(path, _option(path, options, "char_cnn.filters"))
    for key in _CLIPS:
        name = key.removeprefix("lstm.")
        options["lstm"][name] = _clip(path, key, _option(path, options, key))
    return dict(options)


def tensor_shapes(options: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor in weights.hdf5; id 0, "no word", has no row there."""
    cnn, lstm = options["char_cnn"], options["lstm"]
    width, memory, depth = lstm["projection_dim"], lstm["dim"], cnn["embedding"]["dim"]
    n = sum(filters for _, filters in cnn["filters"])
    shapes: dict[str, tuple[int, ...]] = {"char_embed": (SYMBOLS - 1, depth)}
    for k, (span, filters) in enumerate(cnn["filters"]):
        shapes |= {f"CNN/W_cnn_{k}": (1, span, depth, filters), f"CNN/b_cnn_{k}": (filters,)}
    for k in range(cnn["n_highway"]):
        for gate in ("transform", "carry"):
            shapes |= {f"CNN_high_{k}/W_{gate}": (n, n), f"CNN_high_{k}/b_{gate}": (n,)}
    shapes |= {"CNN_proj/W_proj": (n, width), "CNN_proj/b_proj": (width,)}
    for direction in (0, 1):
        for layer in range(lstm["n_layers"]):
            cell = cell_name(direction, layer)
            shapes[f"{cell}/W_0"] = (2 * width, 4 * memory)
            shapes[f"{cell}/B"] = (4 * memory,)
            shapes[f"{cell}/W_P_0"] = (memory, width)
    return shapes


def cell_name(direction: int, layer: int) -> str:
    """Name the group of a recurrent layer's tensors; direction 0 reads forwards."""
    return f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"


def _option(path: Path, options: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(options, dict) or part not in options:
            raise ValueError(f"{path}: option {key} is missing; is it the options of ELMo?")
        options = options[part]
    return options


def _check_count(path: Path, key: str, value: object, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{path}: {key} is {value!r}; allowed: a whole number from 1 to {most}")


def _check_filters(path: Path, filters: object) -> None:
    pairs = isinstance(filters, list) and 1 <= len(filters) <= MOST
    if not pairs or not all(isinstance(f, list) and len(f) == 2 for f in filters):  # type: ignore[attr-defined]
        raise ValueError(f"{path}: char_cnn.filters is no list of [width, filters]")
    for span, count in filters:  # type: ignore[attr-defined]
        _check_count(path, "a width in char_cnn.filters", span, LONGEST_WORD)
        _check_count(path, "a number in char_cnn.filters", count, LARGEST)


def _clip(path: Path, key: str, value: object) -> float:
    if value is None:
        return inf
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"{path}: {key} is {value!r}; allowed: a number above 0, or null")
    return float(value)
