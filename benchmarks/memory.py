"""Memory of an extraction by its number of items: its own process and two workers together."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from benchmarks.inception import pictures
from benchmarks.peak import peak_of_extraction
from benchmarks.timing import Effort, Line
from pipeline.extractors.inception import FILE, InceptionEncoder
from pipeline.extractors.untrained import write_inception
from pipeline.features.recipe import Decoded, Identity, Item, Network, Recipe
from pipeline.features.visual import VisualRecipe

PHOTOS, NUMBERS = 40, 1000  # and ten times as many
WORKERS, SIZE = 2, 224
TIMES = 10
# The libraries' memory differs by up to 60 MiB per process between runs, which is not small against
# 9,000 items of 8 KiB. So the smallest of several runs is compared.
RUNS = 3
# Of each photo: if sizes differed, a large one might occur only in the longer run.
WIDTH, HEIGHT = 2048, 1536
DIFFERENT = 4


@dataclass(frozen=True)
class PlainRecipe(Recipe):
    """Features of a photo's size that cost nothing to make: [1, 2048]."""

    modality: ClassVar[str] = "visual"
    batch: ClassVar[int] = 16
    gpu: ClassVar[bool] = False
    dim: ClassVar[int] = 2048

    def identity(self) -> Identity:
        """See Recipe."""
        return {"version": "1"}

    def read(self, item: Item) -> Decoded:
        """See Recipe."""
        return Decoded(float(item.text or 0))

    def network(self) -> Network:
        """See Recipe."""
        return lambda numbers: [np.full((1, self.dim), n, np.float32) for n in numbers]


def measure(effort: Effort, photos: int = PHOTOS, numbers: int = NUMBERS) -> list[Line]:
    """Measure few large items (photos) and many small ones (numbers)."""
    with tempfile.TemporaryDirectory() as name:
        encoder = InceptionEncoder(Path(name) / "weights", SIZE)
        write_inception(encoder.folder / FILE)
        large = _photos(Path(name), TIMES * photos)
        many = [Item(f"{k:08}", text=str(k)) for k in range(TIMES * numbers)]
        return [
            _line("photos through Inception", VisualRecipe(encoder), large, 3 * SIZE**2, 1),
            _line("items that cost nothing", PlainRecipe(), many, 4 * PlainRecipe.dim, RUNS),
        ]


def _photos(folder: Path, count: int) -> list[Item]:
    contents = []
    for seed in range(DIFFERENT):
        path = folder / "photo.jpg"
        picture = Image.fromarray(pictures(1, HEIGHT, seed)[0])
        picture.resize((WIDTH, HEIGHT)).save(path, quality=90)
        contents.append(path.read_bytes())
    items = []
    for k in range(count):
        path = folder / f"{k:05}.jpg"
        # Bytes after the end of a JPEG are ignored, but make it another item.
        path.write_bytes(contents[k % len(contents)] + str(k).encode())
        items.append(Item(path.stem, path=path))
    return items


def _line(what: str, recipe: Recipe, items: Sequence[Item], held: int, runs: int) -> Line:
    # Most of a peak is libraries. So the growth per item is also compared with its `held` bytes.
    few = len(items) // TIMES
    name = f"peak memory at {len(items):,} {what} against {few:,}, {WORKERS} workers"
    if sys.platform != "linux":
        return Line(name, None, 1.1, at_least=False, detail="only Linux tells a process' peak")
    small, large = (
        min(peak_of_extraction(recipe, items[:n], WORKERS) for _ in range(runs))
        for n in (few, len(items))
    )
    each = (large - small) / (len(items) - few)
    return Line(
        name,
        large / small,
        1.1,
        at_least=False,
        detail=f"{large / 2**20:.0f} MiB against {small / 2**20:.0f} MiB, "
        f"{each / 2**10:.1f} KiB more an item, which is {held / 2**10:.0f} KiB itself",
        exact=each < held,
    )
