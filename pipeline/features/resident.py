"""An engine whose networks stay loaded in this process: for few items, and for a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch

from pipeline.features.cache import ItemCache
from pipeline.features.extract import chosen_engine
from pipeline.features.recipe import Item, Recipe
from pipeline.features.worker import Batch, batched, extractor
from pipeline.ground.processes import THREADS

# Of more items another engine's start is a small part: its processes import torch and load weights.
FEW = 16


class Resident:
    """Extracts up to `FEW` items here, and leaves more of them to the engine of HGFN_ENGINE.

    Results are the same bits. A decoder that crashes ends this process: whoever takes files from
    strangers runs it in one of its own. It serves one cache, that of its first call.
    """

    def __init__(self) -> None:
        self._extract: dict[str, Callable[[Batch], None]] = {}

    def __call__(
        self, recipe: Recipe, items: Mapping[str, Item], cache: ItemCache, workers: int
    ) -> Iterator[str]:
        """Extract items (by cache key) into the cache; yields the keys done."""
        if len(items) > FEW:
            yield from chosen_engine()(recipe, items, cache, workers)
            return
        for batch in batched(items, recipe.batch):
            self.load(recipe, cache)(batch)
            yield from (key for key, _ in batch)

    def load(self, recipe: Recipe, cache: ItemCache) -> Callable[[Batch], None]:
        """Load a recipe's network, once; the function returned extracts a batch into the cache."""
        if recipe.modality not in self._extract:
            self._extract[recipe.modality] = extractor(recipe, cache)
        threads = torch.get_num_threads()

        def extract(batch: Batch) -> None:
            torch.set_num_threads(THREADS)
            try:
                self._extract[recipe.modality](batch)
            finally:
                torch.set_num_threads(threads)

        return extract
