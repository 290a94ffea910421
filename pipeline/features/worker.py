"""A worker's steps for a batch: read the items, run the network, store results in the cache."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from pipeline.extractors.device import exact_convolutions
from pipeline.features.cache import Entry, ItemCache
from pipeline.features.recipe import FILE, Decoded, Failure, Item, Network, Recipe
from pipeline.ground.processes import THREADS
from pipeline.media import MediaError

Batch = Sequence[tuple[str, Item]]  # cache keys and items


def shares(items: int, batch: int, workers: int) -> tuple[int, int]:
    """Return how many workers to start, and how many items to give each at once.

    There are at most as many workers as full batches, because a small batch costs a network as much
    as a full one.
    """
    workers = max(min(workers, -(-items // batch)), 1)
    return workers, min(batch, max(-(-items // workers), 1))


def batched(items: Mapping[str, Item], size: int) -> Iterator[Batch]:
    """Cut items (by cache key) lazily into batches of `size`."""
    remaining = iter(items.items())
    while batch := list(itertools.islice(remaining, size)):
        yield batch


def extractor(
    recipe: Recipe,
    cache: ItemCache,
    decoding: Callable[[bool], None] = lambda active: None,
    network: Network | None = None,
) -> Callable[[Batch], None]:
    """Return a function that extracts one batch into the cache; loads the network if none is given.

    `decoding` is called with true before a batch is read, and with false afterwards.
    """
    network = network or recipe.network()

    def extract(batch: Batch) -> None:
        items = [item for _, item in batch]
        decoding(True)
        decoded = [read(recipe.read, item) for item in items]
        decoding(False)
        with exact_convolutions():
            entries = compute(network, items, decoded)
        for (key, _), entry in zip(batch, entries, strict=True):
            cache.put(key, entry)

    return extract


def run_here(
    recipe: Recipe, batches: Iterable[Batch], cache: ItemCache, network: Network | None = None
) -> Iterator[str]:
    """Extract batches in this process, on as many threads as a worker has; yields the keys done."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        extract = extractor(recipe, cache, network=network)
        for batch in batches:
            extract(batch)
            yield from (key for key, _ in batch)
    finally:
        torch.set_num_threads(threads)


def read(reader: Callable[[Item], Decoded], item: Item) -> Decoded:
    """Read an item; a MediaError becomes its failure.

    Other errors are raised, with a note that names the item.
    """
    try:
        with out_of_memory("reading"):
            return reader(item)
    except MediaError as error:
        if error.kind == "missing_file":
            # The file existed when it was hashed, so this is a failure of the machine.
            raise
        return Decoded(None, (error.kind, item.without_paths(str(error))))
    except Exception as error:
        error.add_note(f"while {item.id} was read")
        raise


def compute(network: Network, items: Sequence[Item], decoded: Sequence[Decoded]) -> list[Entry]:
    """Run a network on the items that could be read; returns an entry for each item, in order."""
    inputs = [one.input for one in decoded if one.input is not None]
    with out_of_memory(f"the network on {items[0].id} and {len(items) - 1} more"):
        arrays = iter(network(inputs) if inputs else [])
    return [
        Entry(None, one.failure) if one.input is None else _entry(next(arrays), one.failure)
        for one in decoded
    ]


def _entry(array: np.ndarray, failure: Failure | None) -> Entry:
    array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        return Entry(None, ("not_finite", f"{FILE}: features are not finite"))
    return Entry(array, failure)


def picklable(error: Exception) -> Exception:
    """Return an error that another process can read: itself, or a RuntimeError with its text."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # of any kind: an error class can have its own pickling
        text = ", ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])
        return RuntimeError(text)
    return error


@contextmanager
def out_of_memory(action: str) -> Iterator[None]:
    """Turn torch's out-of-memory errors into a MemoryError that names the action and the cure.

    On a CPU torch raises a plain RuntimeError that only its message identifies.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        cure = "use fewer HGFN_WORKERS, a GPU with more memory, or HGFN_DEVICE=cpu"
        raise MemoryError(f"{action}: the GPU has no memory left; {cure}") from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        cure = "use fewer HGFN_WORKERS and run again"
        raise MemoryError(f"{action}: no memory left; {cure}") from error
