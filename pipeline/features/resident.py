"""An engine whose networks stay loaded in this process: for few items, and for a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.features.cache import ItemCache
from pipeline.features.extract import chosen_engine
from pipeline.features.recipe import Item, Network, Recipe
from pipeline.features.worker import batched, run_here

# For more items it pays to start the other engine, whose processes import torch and load weights.
FEW = 16


class Resident:
    """Extracts up to `FEW` items here, and leaves more of them to the engine of HGFN_ENGINE.

    Results are the same bits. A decoder that crashes ends this process, so files from strangers
    need a process of their own.
    """

    def __init__(self) -> None:
        self._networks: dict[str, Network] = {}

    def __call__(
        self, recipe: Recipe, items: Mapping[str, Item], cache: ItemCache, workers: int
    ) -> Iterator[str]:
        """Extract items (by cache key) into the cache; yields the keys done."""
        if len(items) > FEW:
            yield from chosen_engine()(recipe, items, cache, workers)
        elif items:
            batches = batched(items, recipe.batch)
            yield from run_here(recipe, batches, cache, self.network(recipe))

    def network(self, recipe: Recipe) -> Network:
        """Return the network of a recipe, the only one of its modality, loaded once."""
        if recipe.modality not in self._networks:
            self._networks[recipe.modality] = recipe.network()
        return self._networks[recipe.modality]
