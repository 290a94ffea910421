"""Padded sequences of batches, from memory or read ahead from feature files by processes."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import runtime
from pipeline.ground.processes import end_with_parent
from pipeline.inputs.feature_file import FeatureFile, FeatureRows

PROCESSES = 2
AHEAD = 1  # batches that each process reads ahead; one of 64 clips has 22 MB


# The [length, dim] array of each sample, of length 0 where the modality is absent.
Arrays = list[np.ndarray] | FeatureRows
# By modality: zeros behind each sample's end [B, T, d], and the lengths [B].
Padded = dict[str, tuple[np.ndarray, np.ndarray]]


def pad(sequences: Mapping[str, Arrays], rows: np.ndarray) -> Padded:
    """Pad the given rows' arrays to the longest of each modality, at least one step."""
    return {name: _pad([arrays[row] for row in rows]) for name, arrays in sequences.items()}


def _pad(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(array) for array in arrays])
    padded = np.zeros((len(arrays), max(1, lengths.max()), arrays[0].shape[1]), np.float32)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded, lengths


class Readers:
    """Processes that read and pad batches while the network trains on earlier ones.

    torch's DataLoader draws from torch's random numbers, which changes dropout, and reports the
    death of a worker by a signal in the middle of a step.
    """

    def __init__(self, sequences: Mapping[str, FeatureRows]) -> None:
        self._sequences = dict(sequences)
        self._pool: ProcessPoolExecutor | None = None

    @property
    def description(self) -> str:
        """Why and how the features are read, in one line."""
        size = runtime.size_text(sum(arrays.nbytes for arrays in self._sequences.values()))
        return f"{size} of features exceed HGFN_MEMORY: batches are read from the feature files"

    def read(self, names: Sequence[str], batches: Iterable[np.ndarray]) -> Iterator[Padded]:
        """Yield the padded rows of each batch, of the modalities `names`, in order.

        Raises ValueError for a damaged file, and where a process dies.
        """
        if self._pool is None:
            # spawn, not fork: a forked child of a process that used torch's threads can hang.
            self._pool = ProcessPoolExecutor(PROCESSES, get_context("spawn"), _start)
        # Not the rows themselves: their tables would travel with every batch.
        files = {name: (self._sequences[name].path, self._sequences[name].pooled) for name in names}
        pending: deque[Future[Padded]] = deque()
        try:
            for rows in batches:
                pending.append(self._pool.submit(_read, files, rows))
                if len(pending) > PROCESSES * AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool:
            self._pool = None
            raise ValueError(
                "a process that reads features died, perhaps out of memory; a smaller "
                "train.batch_size needs less"
            ) from None
        finally:
            for future in pending:
                future.cancel()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None}


def _start() -> None:
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its readers


def _read(files: Mapping[str, tuple[Path, bool]], rows: np.ndarray) -> Padded:
    return pad({name: _opened(*file) for name, file in files.items()}, rows)


@cache
def _opened(path: Path, pooled: bool) -> FeatureRows:
    return FeatureFile(path).rows(pooled)
