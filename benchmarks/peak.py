"""Peak memory of a piece of work: of its own process and of the workers that it starts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract_features
from pipeline.features.recipe import Item, Recipe

EVERY = 0.05  # seconds between two looks


def peak_of_extraction(recipe: Recipe, items: Sequence[Item], workers: int) -> int:
    """Extract and pack in a new process with new workers; see `peak_of`."""
    return peak_of(_extract, recipe, items, workers)


def peak_of(work: Callable[..., object], *arguments: object) -> int:
    """Call a function in a new process; returns the peak in bytes of it and its workers together.

    This is the largest sum of the peaks of processes that ran at once. Libraries that they share
    are counted in each.
    """
    most = 0
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        process = pool.submit(os.getpid).result()
        running = pool.submit(work, *arguments)
        while wait([running], timeout=EVERY).not_done:
            most = max(most, sum(peaks_of(process).values()))
        running.result()
        return max(most, sum(peaks_of(process).values()))


def _extract(recipe: Recipe, items: Sequence[Item], workers: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        cache = ItemCache(Path(name) / "cache")
        extract_features(recipe, items, [], Path(name) / "features.h5", cache, workers)


def peaks_of(process: int) -> dict[int, int]:
    """Return the peak in bytes of a process and of each that it started, by number; Linux only."""
    try:
        main = psutil.Process(process)
        family = [main, *(child for child in main.children(recursive=True) if _is_itself(child))]
    except psutil.NoSuchProcess:
        return {}
    peaks = {member.pid: _peak(member.pid) for member in family}
    return {number: peak for number, peak in peaks.items() if peak}


def _is_itself(child: psutil.Process) -> bool:
    # Until a new process runs its own program, it is a copy of its parent, with the parent's peak.
    try:
        parent = child.parent()
        return parent is not None and child.cmdline() != parent.cmdline()
    except psutil.NoSuchProcess:
        return False


def _peak(process: int) -> int:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:  # it has ended
        return 0
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return 1024 * int(lines.get("VmHWM", "0").split()[0])
