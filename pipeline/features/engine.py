"""Which engine extracts: worker processes of this machine, its GPUs, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline import runtime
from pipeline.extractors.device import gpus
from pipeline.features.cache import ItemCache
from pipeline.features.feeder import run_fed
from pipeline.features.local import run_local
from pipeline.features.ray_engine import run_ray
from pipeline.features.recipe import Item, Recipe, device_of


def run_engine(
    recipe: Recipe, items: Mapping[str, Item], cache: ItemCache, workers: int
) -> Iterator[str]:
    """Extract items with the engine that HGFN_ENGINE names; see `run_local` for the contract."""
    if runtime.engine() == "ray":
        return run_ray(recipe, items, cache, workers)
    if items and device_of(recipe) == "cuda":
        return run_fed(recipe, items, cache, readers=workers, networks=gpus())
    return run_local(recipe, items, cache, workers)
