"""What runs on a cluster: actors that each hold one network and fill the item cache."""

from __future__ import annotations

import functools
import pickle
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from pipeline.features.cache import ItemCache
from pipeline.features.local import Batch, extractor
from pipeline.features.node import Node
from pipeline.features.recipe import Recipe
from pipeline.runtime import THREADS

# What has ended this many workers would end the next one too.
ATTEMPTS = 4

Block = Mapping[str, Sequence[bytes]]


class Attempts:
    """Counts how often each batch was begun; one for all workers."""

    def __init__(self) -> None:
        self._begun: Counter[str] = Counter()

    def begin(self, key: str) -> int:
        """Count one more attempt at the batch that starts with `key`."""
        self._begun[key] += 1
        return self._begun[key]

    def forget(self, keys: Sequence[str]) -> None:
        """Drop what is done."""
        for key in keys:
            self._begun.pop(key, None)


class RayWorker:
    """Extracts blocks of pickled batches into the cache.

    Gives back the keys that are there and the pickled error that ended it, empty if none did: Ray
    itself would hand on an error's text only.
    """

    def __init__(self, recipe: bytes, cache: ItemCache, driver: Node, attempts: Any) -> None:
        # Opened at the first batch: an error in here would only be told as an actor that died.
        @functools.cache
        def opened() -> Callable[[Batch], None]:
            driver.enter()
            unpickled: Recipe = pickle.loads(recipe)
            driver.require_same(unpickled)
            return extractor(unpickled, cache)

        self._opened = opened
        self._cache = cache
        self._attempts = attempts

    def __call__(self, block: Block) -> Block:
        """Extract each of the block's batches."""
        torch.set_num_threads(THREADS)  # here: Ray calls from a thread of its choice
        batches = [pickle.loads(batch) for batch in block["batch"]]
        done: list[str] = []
        error = b""
        try:
            for batch in batches:
                self._fill(batch)
                done += [key for key, _ in batch]
        except Exception as raised:
            error = pickle.dumps(raised)
        self._attempts.forget.remote([batch[0][0] for batch in batches])
        return {"keys": [pickle.dumps(done)], "error": [error]}

    def _fill(self, batch: Batch) -> None:
        import ray

        attempt = ray.get(self._attempts.begin.remote(batch[0][0]))
        if attempt > 1:  # taken over from a worker that died somewhere in this block
            batch = [(key, item) for key, item in batch if key not in self._cache]
        if attempt > ATTEMPTS and batch:
            ids = ", ".join(item.id for _, item in batch)
            raise ValueError(f"{ATTEMPTS} workers died on {ids}: out of memory, or a fatal input")
        if batch:
            self._opened()(batch)
