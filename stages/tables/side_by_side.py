"""Trainings of one row, as many at a time as there are cores; a GPU has one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import TypeVar

from pipeline import runtime
from pipeline.ground.processes import end_with_parent

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return the work of every item in their order; this process begins with the first.

    An error ends the other processes. One of theirs is raised as soon as this process has done
    the item that it is at. Raises ValueError where a process died.
    """
    beside = min(runtime.workers(), len(items)) - 1 if runtime.device() == "cpu" else 0
    if not beside:
        return [work(item) for item in items]
    before = active_children()
    with ProcessPoolExecutor(beside, get_context("spawn"), end_with_parent) as pool:
        try:
            return _share(work, items, pool)
        except BaseException as error:
            # Leaving the pool waits for what runs, which may take hours.
            for process in set(active_children()) - set(before):
                process.terminate()
            if not isinstance(error, BrokenProcessPool):
                raise
    raise ValueError(
        "a process that trained beside this one died, for want of memory perhaps: "
        "HGFN_WORKERS=1 trains one after the other"
    )


def _share(
    work: Callable[[Item], Result], items: Sequence[Item], pool: ProcessPoolExecutor
) -> list[Result]:
    first, *others = items
    given = [pool.submit(work, item) for item in others]
    own = {0: work(first)}
    # From the end, where most still wait: those are done here.
    for place in range(len(others), 0, -1):
        _raise_what_failed(given)
        if given[place - 1].cancel():
            own[place] = work(items[place])
    running = [future for future in given if not future.cancelled()]
    wait(running, return_when=FIRST_EXCEPTION)
    _raise_what_failed(running)
    return [own[k] if k in own else given[k - 1].result() for k in range(len(items))]


def _raise_what_failed(given: Sequence[Future[Result]]) -> None:
    for future in given:
        if future.done() and not future.cancelled():
            future.result()
