"""What a process must set before it trains, so that the same inputs give the same bits."""

from __future__ import annotations

import torch

from pipeline.runtime import THREADS


def repeatable() -> None:
    """Use one thread, and of every operation the version that gives the same bits each time.

    torch then also fills what it allocates with NaN, to show where memory is read before it is
    written. That changes no result, and costs a fifth of a training: it is switched off.
    """
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
