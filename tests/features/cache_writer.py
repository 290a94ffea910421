"""A writer of one cache key, importable by worker processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.features.cache import Entry, ItemCache


def put_and_get(folder: Path, key: str, number: int) -> int:
    """Put and get one key again and again; count gets that are not one whole put."""
    cache = ItemCache(folder)
    wrong = 0
    for turn in range(150):
        length = 1 + (turn * 7 + number) % 200
        cache.put(key, Entry(np.full((length, 4), length, np.float32)))
        entry = cache.get(key)
        wrong += entry is None or entry.array is None or set(entry.array.flat) != {len(entry.array)}
    return wrong + cache.damaged
