"""The local engine: worker processes that extract items into the item cache.

Each worker reads a batch and runs the network on it, one after the other on one thread: more
workers, not more stages, use more cores. A decoder that crashes ends its worker, not the run.
"""

from __future__ import annotations

import itertools
import signal
import traceback
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait

import torch

from pipeline.extractors.device import gpus, on_gpu
from pipeline.features.cache import Entry, ItemCache
from pipeline.features.recipe import FILE, Item, Recipe, device_of
from pipeline.features.worker import Batch, batched, extractor, picklable, run_here, shares
from pipeline.ground.processes import THREADS, end_with_parent

# Signals of a crashed decoder. SIGKILL is not one: the system sends it when memory runs out.
_CRASHES = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGFPE, -signal.SIGILL}


def run_local(
    recipe: Recipe, items: Mapping[str, Item], cache: ItemCache, workers: int
) -> Iterator[str]:
    """Extract items (by cache key) into the cache; yields each key when its entry is there.

    Bytes do not depend on `workers`: each network runs in a process of its own on a fixed number
    of threads, with HGFN_DEVICE=cuda on the GPUs in turn. An item whose decoder crashes twice gets
    a failure of kind decoder_crashed. Raises what a worker raised, and WorkerDiedError if one died
    of something else.
    """
    if not items:
        return
    gpu_count = gpus() if device_of(recipe) == "cuda" else 0
    workers, size = shares(len(items), recipe.batch, workers)
    batches = batched(items, size)
    # Texts have no decoder that could crash, so a single worker needs no process of its own.
    if workers == 1 and all(item.path is None for item in items.values()):
        yield from run_here(recipe, batches, cache)
        return
    pool = Pool(recipe, cache, workers, gpu_count)
    try:
        yield from pool.run(batches)
    finally:
        pool.stop()


class _Worker:
    """A worker process and its current batch."""

    def __init__(self, recipe: Recipe, cache: ItemCache, gpu: int | None) -> None:
        # spawn, not fork: a forked child of a process that used torch's threads can hang.
        context = get_context("spawn")
        self.connection, other_end = context.Pipe()
        self.gpu = gpu
        self.batch: Batch = []
        self.decoding = False
        arguments = (other_end, recipe, cache, gpu)
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        other_end.close()  # now it closes when the process ends

    def start(self, batch: Batch) -> None:
        self.batch = batch
        with suppress(OSError):  # a process that died: `receive` reports it
            self.connection.send(batch)

    def receive(self) -> Batch:
        """Return the batch that is done, empty for a mere change of `decoding`.

        Raises EOFError where the process died, and the error of a batch that failed.
        """
        try:
            message = self.connection.recv()
        except ConnectionResetError:
            raise EOFError from None
        if isinstance(message, bool):
            self.decoding = message
            return []
        done, self.batch = self.batch, []
        if message is not None:
            error, trace = message
            raise error from RuntimeError(f"in a worker process:\n{trace}")
        return done


class WorkerDiedError(ValueError):
    """A worker process ended for another reason than a decoder that crashes."""


class Pool:
    """Worker processes that take batches from one queue."""

    def __init__(self, recipe: Recipe, cache: ItemCache, workers: int, gpus: int = 0) -> None:
        self._recipe, self._cache = recipe, cache
        self._batches: Iterator[Batch] = iter(())
        self._crashed: set[str] = set()
        self._workers = [
            _Worker(recipe, cache, number % gpus if gpus else None) for number in range(workers)
        ]

    def run(self, batches: Iterator[Batch]) -> Iterator[str]:
        """Extract all batches; yields the keys as they are done.

        Raises what a worker raised, and WorkerDiedError, after which a pool cannot be used again.
        """
        self._batches = batches
        self._start_idle()
        while busy := [worker for worker in self._workers if worker.batch]:
            ready = wait([worker.connection for worker in busy])
            for worker in busy:
                if worker.connection in ready:
                    done = self._receive(worker)
                    self._start_idle()
                    yield from (key for key, _ in done)

    def stop(self) -> None:
        """End the workers, also while they work."""
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.connection.close()

    def _start_idle(self) -> None:
        idle = [worker for worker in self._workers if not worker.batch]
        # In this order: `zip` would lose the batch for which no worker is idle.
        for worker, batch in zip(idle, self._batches, strict=False):
            worker.start(batch)

    def _receive(self, worker: _Worker) -> Batch:
        try:
            return worker.receive()
        except EOFError:
            self._workers.remove(worker)
            worker.process.join()
            worker.connection.close()
        done = self._after_crash(worker)
        self._workers.append(_Worker(self._recipe, self._cache, worker.gpu))
        return done

    def _after_crash(self, worker: _Worker) -> Batch:
        """Queue a dead worker's batch again, item by item; one that crashed before fails."""
        code, batch = worker.process.exitcode or 0, worker.batch
        if not worker.decoding or code not in _CRASHES:
            raise WorkerDiedError(_unexplained(code, batch))
        key = batch[0][0]
        if len(batch) == 1 and key in self._crashed:
            message = f"{FILE}: its decoder crashes ({signal.Signals(-code).name}); leave it out"
            self._cache.put(key, Entry(None, ("decoder_crashed", message)))
            return batch
        self._crashed |= {key for key, _ in batch}
        self._batches = itertools.chain([[pair] for pair in batch], self._batches)
        return []


def _unexplained(code: int, batch: Batch) -> str:
    names = batch[0][1].id + (f" and {len(batch) - 1} more" if len(batch) > 1 else "")
    cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return (
        f"a worker process died ({cause}) while it extracted {names}: if memory ran out, use fewer "
        "HGFN_WORKERS; if it dies again with one, leave that item out"
    )


def _serve(connection: Connection, recipe: Recipe, cache: ItemCache, gpu: int | None) -> None:
    """Extract batches in a worker process until the connection closes."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    torch.set_num_threads(THREADS)
    extract = None
    with nullcontext() if gpu is None else on_gpu(gpu), suppress(EOFError):
        while True:
            batch = connection.recv()
            try:
                extract = extract or extractor(recipe, cache, connection.send)
                extract(batch)
                connection.send(None)
            except Exception as error:
                connection.send((picklable(error), traceback.format_exc()))
