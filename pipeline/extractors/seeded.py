"""Random tensors whose bytes depend on a seed and their name alone."""

from __future__ import annotations

import zlib

import numpy as np
from jaxtyping import Float32

SEED = 0


def normal(name: str, shape: tuple[int, ...], std: float) -> Float32[np.ndarray, ...]:
    """Draw a normal tensor; another tensor added or left out elsewhere does not change it.

    NumPy's generator gives the same numbers with any number of threads, which torch's does not
    promise between processors.
    """
    generator = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    return generator.standard_normal(shape, dtype=np.float32) * np.float32(std)
