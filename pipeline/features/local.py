"""The local engine: worker processes that extract items into the item cache.

Each worker decodes a batch and runs the network on it, one after the other on one thread; a bounded
window of batches waits at each. More workers, not more stages, use more cores
(docs/decisions/008-feeder.md).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context

import torch

from pipeline.features.cache import ItemCache
from pipeline.features.deaths import Batch, deaths_told
from pipeline.features.recipe import Item, Recipe
from pipeline.features.steps import in_turn
from pipeline.ground.processes import end_with_parent
from pipeline.runtime import THREADS

# Batches waiting at each worker: enough never to idle, few enough to keep memory flat.
_AHEAD = 4

_worker: Callable[[], Callable[[Batch], None]]


def run_local(
    recipe: Recipe, items: Mapping[str, Item], cache: ItemCache, workers: int
) -> Iterator[str]:
    """Extract items (by cache key) into the cache; yields each key when its entry is there.

    Bytes do not depend on `workers`: each network runs in a process of its own on a fixed number
    of threads.
    """
    workers, size = shares(len(items), recipe.batch, workers)
    batches = batched(items, size)
    if workers <= 1:
        yield from _run_here(recipe, batches, cache)
        return
    futures: dict[Future[None], Batch] = {}
    # spawn, not fork: a forked child of a process that used torch's threads can hang.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (recipe, cache))
    with pool, deaths_told(futures, 2 * workers):
        try:
            for batch in itertools.islice(batches, _AHEAD * workers):
                futures[pool.submit(_work, batch)] = batch
            while futures:
                for future in wait(futures, return_when=FIRST_COMPLETED).done:
                    future.result()
                    yield from (key for key, _ in futures.pop(future))
                    for batch in itertools.islice(batches, 1):
                        futures[pool.submit(_work, batch)] = batch
        except BaseException:
            # An error is told at once, not after everything that still waits.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def shares(items: int, batch: int, workers: int) -> tuple[int, int]:
    """Return how many workers to start, and how many items to give each at once.

    No more workers than there are full batches: a network computes a small one at a large one's
    cost. Those that start share the items evenly.
    """
    workers = max(min(workers, -(-items // batch)), 1)
    return workers, min(batch, max(-(-items // workers), 1))


def batched(items: Mapping[str, Item], size: int) -> Iterator[Batch]:
    """Cut items (by cache key) into batches of `size`, as they are asked for."""
    waiting = iter(items.items())
    while batch := list(itertools.islice(waiting, size)):
        yield batch


def _run_here(recipe: Recipe, batches: Iterator[Batch], cache: ItemCache) -> Iterator[str]:
    with few_threads():
        extract = functools.cache(functools.partial(extractor, recipe, cache))
        for batch in batches:
            extract()(batch)
            yield from (key for key, _ in batch)


@contextmanager
def few_threads() -> Iterator[None]:
    """Give a network in this process as many threads as one in a worker, and then the old ones."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _start(recipe: Recipe, cache: ItemCache) -> None:
    global _worker
    end_with_parent()
    torch.set_num_threads(THREADS)
    # Opened at the first batch: an error in here would only be told as a broken pool.
    _worker = functools.cache(functools.partial(extractor, recipe, cache))


def _work(batch: Batch) -> None:
    _worker()(batch)


def extractor(recipe: Recipe, cache: ItemCache) -> Callable[[Batch], None]:
    """Open a recipe; the function returned extracts one batch of (key, item) into the cache."""
    extract = in_turn(recipe)

    def fill(batch: Batch) -> None:
        entries = extract([item for _, item in batch])
        for (key, _), entry in zip(batch, entries, strict=True):
            cache.put(key, entry)

    return fill
