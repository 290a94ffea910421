"""A cache in memory holds what a cache in a folder does, until it is cleared."""

from __future__ import annotations

import numpy as np

from pipeline.features.cache import Entry
from pipeline.features.memory_cache import MemoryCache


def test_entries_are_there_until_they_are_cleared() -> None:
    cache, entry = MemoryCache(), Entry(np.ones((2, 3), np.float32), ("truncated", "cut off"))
    cache.put("a", entry)
    cache.clean()
    assert cache.get("a") is entry
    assert [found is not None for _, found in cache.get_many(["a", "b"])] == [True, False]
    assert "a" in cache
    cache.clear()
    assert cache.get("a") is None


def test_a_marker_is_there_for_its_block() -> None:
    cache = MemoryCache()
    with cache.marker() as key:
        assert key in cache
    assert key not in cache
