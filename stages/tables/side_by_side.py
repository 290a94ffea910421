"""Trainings of one row, as many at a time as there are cores; a GPU has one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from pipeline import runtime
from pipeline.processes import end_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return the work of every item in their order; this process begins with the first.

    Raises ValueError where a process died, and at once what any item's work raises.
    """
    beside = min(runtime.workers(), len(items)) - 1 if runtime.device() == "cpu" else 0
    if not beside:
        return [work(item) for item in items]
    first, *others = items
    with ProcessPoolExecutor(beside, get_context("spawn"), end_with_parent) as pool:
        try:
            waiting = [(item, pool.submit(work, item)) for item in others]
            done = [work(first)]
            # From the end, where most still wait: those are done here.
            rest = [work(i) if given.cancel() else given.result() for i, given in waiting[::-1]]
        except BrokenProcessPool:
            raise ValueError(
                "a process that trained beside this one died, for want of memory perhaps: "
                "HGFN_WORKERS=1 trains one after the other"
            ) from None
        except BaseException:
            # An error is told at once, not after everything that still waits.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return done + rest[::-1]
