"""Worker processes that die: told with what they may have died of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from pipeline.features.recipe import Item

Batch = Sequence[tuple[str, Item]]


@contextmanager
def deaths_told(begun: Mapping[Future[Any], Batch], most: int) -> Iterator[None]:
    """Turn a pool that broke into a ValueError that names what its workers had in hand.

    `begun` holds the batches by their futures, in the order in which they were given to the pool;
    at most the first `most` that are not done can be in hand. A pool tells of a death where a
    result is taken or where work is given: all of both belongs into the block.
    """
    try:
        yield
    except BrokenProcessPool:
        in_hand = itertools.islice(filter(_unfinished, begun), most)
        names = "; ".join(_name(begun[future]) for future in in_hand)
        raise ValueError(
            "a worker process died, of memory (use fewer HGFN_WORKERS) or of a fault in a decoder "
            f"(leave that item out); among these: {names}"
        ) from None


def _unfinished(future: Future[Any]) -> bool:
    return not future.done() or isinstance(future.exception(), BrokenProcessPool)


def _name(batch: Batch) -> str:
    first = batch[0][1].id
    return f"{first} and {len(batch) - 1} more" if len(batch) > 1 else first
