"""ELMo's official weights.hdf5: each tensor checked against the options before any is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from pipeline.extractors.digest import require_weights
from pipeline.extractors.elmo_options import read_options, tensor_shapes
from pipeline.extractors.shapes import check_shapes
from pipeline.inputs.hdf5 import open_hdf5, plain, read_numbers

Read = Callable[[str], Float32[np.ndarray, "..."]]


@contextmanager
def open_elmo(
    options_path: str | Path, weights_path: str | Path
) -> Iterator[tuple[dict[str, Any], Read]]:
    """Open a model's two files: its options, and a function that reads a tensor by its name.

    Raises ValueError naming the file and the option or tensor that is missing or has another
    shape than the options say.
    """
    options_path, path = require_weights(options_path), require_weights(weights_path)
    options = read_options(options_path)
    expected = tensor_shapes(options)
    with open_hdf5(path) as file:
        datasets = {name: plain(file, name) for name in expected}
        found = {name: tuple(d.shape) for name, d in datasets.items() if d is not None}
        network = f"the ELMo that {options_path} describes: are they of different models?"
        check_shapes(path, network, found, expected)

        def read(name: str) -> np.ndarray:
            numbers = read_numbers(file, name, np.float32)
            if numbers is None or not np.isfinite(numbers).all():
                raise ValueError(f"{path}: tensor {name} holds numbers that are not finite")
            return numbers

        yield options, read
