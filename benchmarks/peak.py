"""Peak memory of an extraction, each in a process of its own."""

from __future__ import annotations

import resource
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract_features
from pipeline.features.recipe import Identity, Item, Network, Read, Reader


@dataclass(frozen=True)
class PlainRecipe:
    """Features of a photo's size that cost nothing to make: [1, 2048]."""

    modality: ClassVar[str] = "visual"
    batch: ClassVar[int] = 16
    gpu: ClassVar[bool] = False
    dim: ClassVar[int] = 2048

    def identity(self) -> Identity:
        """See Recipe."""
        return {"version": "1"}

    def reader(self) -> Reader:
        """See Recipe."""
        return lambda item: Read(float(item.text or 0))

    def network(self) -> Network:
        """See Recipe."""
        return lambda numbers: [np.full((1, self.dim), n, np.float32) for n in numbers]


def peak_of_extraction(items: int) -> int:
    """Extract and pack so many items in a new process; returns its peak in bytes."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_extract, items).result()


def _extract(count: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        items = [Item(f"{k:08}", text=str(k)) for k in range(count)]
        cache = ItemCache(Path(name) / "cache")
        extract_features(PlainRecipe(), items, [], Path(name) / "features.h5", cache, workers=1)
    return _peak_bytes()


def _peak_bytes() -> int:
    # A new process' resource usage begins at the peak of the one that started it; Linux keeps the
    # peak of its own memory elsewhere.
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return 1024 * int(lines["VmHWM"].split()[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
