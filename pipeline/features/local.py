"""The local engine: worker processes that extract items into the item cache."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context

import torch

from pipeline.features.cache import Entry, ItemCache
from pipeline.features.recipe import Item, Recipe, try_extract
from pipeline.runtime import THREADS

# Items waiting at each worker: enough never to idle, few enough to keep memory flat.
_AHEAD = 4

_worker: Callable[[], Callable[[str, Item], None]]


def run_local(
    recipe: Recipe, items: Mapping[str, Item], cache: ItemCache, workers: int
) -> Iterator[str]:
    """Extract items (by cache key) into the cache; yields each key when its entry is there.

    Bytes do not depend on `workers`: each network runs in a process of its own on a fixed number
    of threads.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        yield from _run_here(recipe, items, cache)
        return
    # spawn, not fork: a forked child of a process that used torch's threads can hang.
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, (recipe, cache)) as pool:
        waiting = iter(items.items())
        futures = {
            pool.submit(_work, key, item): key
            for key, item in itertools.islice(waiting, _AHEAD * workers)
        }
        while futures:
            for future in wait(futures, return_when=FIRST_COMPLETED).done:
                future.result()
                yield futures.pop(future)
                for key, item in itertools.islice(waiting, 1):
                    futures[pool.submit(_work, key, item)] = key


def _run_here(recipe: Recipe, items: Mapping[str, Item], cache: ItemCache) -> Iterator[str]:
    if not items:
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        extract = _extractor(recipe, cache)
        for key, item in items.items():
            extract(key, item)
            yield key
    finally:
        torch.set_num_threads(threads)


def _start(recipe: Recipe, cache: ItemCache) -> None:
    global _worker
    torch.set_num_threads(THREADS)
    # Opened at the first item: an error in here would only be told as a broken pool.
    _worker = functools.cache(functools.partial(_extractor, recipe, cache))


def _work(key: str, item: Item) -> None:
    _worker()(key, item)


def _extractor(recipe: Recipe, cache: ItemCache) -> Callable[[str, Item], None]:
    extract: Callable[[Item], Entry] = recipe.open()
    return lambda key, item: cache.put(key, try_extract(extract, item))
