"""What runs on a cluster: actors that each hold one network and fill the item cache."""

from __future__ import annotations

import functools
import pickle
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from pipeline.extractors.device import gpu_name
from pipeline.features.cache import ItemCache
from pipeline.features.deaths import Batch
from pipeline.features.local import extractor
from pipeline.features.node import Node, require_cache, require_gpu
from pipeline.features.recipe import Recipe, device_of
from pipeline.runtime import THREADS

# What has ended this many workers would end the next one too.
ATTEMPTS = 4

Block = Mapping[str, Sequence[bytes]]


class Attempts:
    """Knows which batches were begun, how often, and which are done; one for all workers.

    The cache cannot tell what is done: it holds the old fault of an item that is tried again.
    `gpu` is the kind of GPU to compute on; None: that of the worker which comes first.
    """

    def __init__(self, gpu: str | None = None) -> None:
        self._gpu = gpu
        self._begun: Counter[str] = Counter()
        self._done: set[str] = set()

    def agree(self, gpu: str) -> str:
        """Return the kind of GPU that all must have, to a worker with this one."""
        self._gpu = self._gpu or gpu
        return self._gpu

    def begin(self, key: str) -> int | None:
        """Count one more attempt at the batch that starts with `key`; None where it is done."""
        if key in self._done:
            return None
        self._begun[key] += 1
        return self._begun[key]

    def end(self, key: str) -> None:
        """Note that the batch that starts with `key` is in the cache."""
        self._done.add(key)

    def forget(self, keys: Sequence[str]) -> None:
        """Drop the batches of a block that is done."""
        for key in keys:
            self._begun.pop(key, None)
            self._done.discard(key)


class RayWorker:
    """Extracts blocks of pickled batches into the cache.

    Gives back the keys that are there and the pickled error that ended it, empty if none did: Ray
    itself would hand on an error's text only.
    """

    def __init__(
        self, recipe: bytes, cache: ItemCache, mark: str, driver: Node, attempts: Any
    ) -> None:
        # Opened at the first batch: an error in here would only be told as an actor that died.
        @functools.cache
        def opened() -> Callable[[Batch], None]:
            driver.enter()
            require_cache(cache, mark)
            unpickled: Recipe = pickle.loads(recipe)
            driver.require_same(unpickled)
            self._require_gpu(unpickled)
            with driver.noted():
                return extractor(unpickled, cache)

        self._opened = opened
        self._driver = driver
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

    def _require_gpu(self, recipe: Recipe) -> None:
        import ray

        if device_of(recipe) == "cuda" and (gpu := gpu_name()):
            require_gpu(gpu, ray.get(self._attempts.agree.remote(gpu)))

    def _fill(self, batch: Batch) -> None:
        import ray

        key = batch[0][0]
        attempt = ray.get(self._attempts.begin.remote(key))
        if attempt is None:  # by a worker that died later in this block
            return
        if attempt > ATTEMPTS:
            ids = ", ".join(item.id for _, item in batch)
            raise ValueError(f"{ATTEMPTS} workers died on {ids}: out of memory, or a fatal input")
        extract = self._opened()
        with self._driver.noted():
            extract(batch)
        # Not waited for: an actor hears one caller in order, this before our next `begin`.
        self._attempts.end.remote(key)
