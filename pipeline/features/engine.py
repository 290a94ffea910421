"""Which engine extracts: worker processes of this machine, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline import runtime
from pipeline.features.cache import ItemCache
from pipeline.features.local import run_local
from pipeline.features.ray_engine import run_ray
from pipeline.features.recipe import Item, Recipe


def run_engine(
    recipe: Recipe, items: Mapping[str, Item], cache: ItemCache, workers: int
) -> Iterator[str]:
    """Extract items with the engine that HGFN_ENGINE names; see `run_local` for the contract."""
    engine = run_ray if runtime.engine() == "ray" else run_local
    return engine(recipe, items, cache, workers)
