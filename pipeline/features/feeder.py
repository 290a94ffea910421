"""The engine where a GPU computes: processes that read fill a bounded queue for its network.

A GPU takes more than one process can read, and holds one network: it is fed by many readers. On a
CPU both want the same cores, and `run_local` is the faster one (docs/decisions/008-feeder.md).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from functools import partial
from multiprocessing import get_context
from queue import LifoQueue
from typing import Any

import torch

from pipeline import runtime
from pipeline.extractors.device import exact_convolutions, on_gpu
from pipeline.features.cache import ItemCache
from pipeline.features.deaths import Batch, deaths_told
from pipeline.features.local import batched, few_threads, shares
from pipeline.features.recipe import Item, Network, Read, Reader, Recipe, device_of
from pipeline.features.steps import compute, read
from pipeline.ground.processes import end_with_parent

# Batches begun for each reader and each network: one in hand, one waiting.
_AHEAD = 2

_reader: Reader


def run_fed(
    recipe: Recipe, items: Mapping[str, Item], cache: ItemCache, readers: int, networks: int
) -> Iterator[str]:
    """Extract items (by cache key) into the cache; yields each key when its entry is there.

    `readers` processes read; `networks` networks compute, one a GPU, in this process. Bytes and
    errors are those of `run_local`.
    """
    if not items:
        return
    readers, size = shares(len(items), recipe.batch, readers)
    # spawn, not fork: a forked child of a process that used torch's threads can hang.
    reading = ProcessPoolExecutor(readers, get_context("spawn"), _start, (recipe,))
    # Two threads a network: one writes features while the other's are computed.
    filling = ThreadPoolExecutor(2 * networks, "network", torch.set_num_threads, (runtime.THREADS,))
    fill = Networks(recipe, networks, cache).fill
    batches, most = batched(items, size), _AHEAD * (readers + networks)
    # The setting of convolutions is every thread's: none may change it while another computes.
    with exact_convolutions(), few_threads(), reading, filling:
        try:
            yield from flow(
                batches,
                lambda batch: reading.submit(_read, batch),
                lambda batch, reads: filling.submit(fill, batch, reads),
                most,
            )
        except BaseException:
            # An error is told at once, not after everything that still waits.
            for pool in (reading, filling):
                pool.shutdown(wait=False, cancel_futures=True)
            raise


def flow(
    batches: Iterable[Batch],
    start_reading: Callable[[Batch], Future[Any]],
    start_filling: Callable[[Batch, Sequence[Read]], Future[Any]],
    most: int,
) -> Iterator[str]:
    """Take batches from one step to the next; yields the keys of those that are in the cache.

    At most `most` batches are begun and not done, wherever they wait: a slow network stops the
    readers, and memory stays flat.
    """
    waiting = iter(batches)
    reading: dict[Future[Any], Batch] = {}
    filling: dict[Future[Any], Batch] = {}
    with deaths_told(reading, most):
        for batch in itertools.islice(waiting, most):
            reading[start_reading(batch)] = batch
        while reading or filling:
            for future in wait([*reading, *filling], return_when=FIRST_COMPLETED).done:
                if future in reading:
                    reads = future.result()
                    batch = reading.pop(future)
                    filling[start_filling(batch, reads)] = batch
                else:
                    future.result()
                    yield from (key for key, _ in filling.pop(future))
                    for batch in itertools.islice(waiting, 1):
                        reading[start_reading(batch)] = batch


class Networks:
    """The networks, one a GPU, each opened at its first batch and used by one thread at a time."""

    def __init__(self, recipe: Recipe, count: int, cache: ItemCache) -> None:
        self._free: LifoQueue[Callable[[], Network]] = LifoQueue()
        self._cache = cache
        for number in reversed(range(count)):  # the first one is taken first
            self._free.put(functools.cache(partial(_opened, recipe, number)))

    def fill(self, batch: Batch, reads: Sequence[Read]) -> None:
        """Compute on what was read of a batch, and keep it."""
        network = self._free.get()
        try:
            entries = compute(network(), [item for _, item in batch], reads)
        finally:
            self._free.put(network)
        for (key, _), entry in zip(batch, entries, strict=True):
            self._cache.put(key, entry)


def _opened(recipe: Recipe, number: int) -> Network:
    if device_of(recipe) == "cpu":
        return recipe.network()
    with on_gpu(number):
        return recipe.network()


def _start(recipe: Recipe) -> None:
    global _reader
    end_with_parent()
    torch.set_num_threads(runtime.THREADS)
    _reader = recipe.reader()


def _read(batch: Batch) -> list[Read]:
    return [read(_reader, item) for _, item in batch]
