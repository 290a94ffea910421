"""From items to a feature file: what the cache lacks is computed, then all is packed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.features.cache import ItemCache
from pipeline.features.failures import Failure
from pipeline.features.local import run_local
from pipeline.features.recipe import FILE, Identity, Item, Recipe
from pipeline.features.store import write_features
from pipeline.progress import progress


def extract_features(
    recipe: Recipe,
    items: Sequence[Item],
    absent: Sequence[str],
    path: Path,
    cache: ItemCache,
    workers: int,
) -> list[Failure]:
    """Write the feature file of `items`, and of the ids in `absent` as absent; return the faults.

    Raises ValueError if there are items and every one of them failed.
    """
    identity = recipe.identity()
    keys = {item.id: item_key(recipe.modality, identity, item) for item in items}
    _fill(recipe, items, keys, cache, workers)
    loads: dict[str, partial[np.ndarray] | None] = dict.fromkeys(absent)
    failures = []
    for item in items:
        entry = cache.get(keys[item.id])
        if entry is None:
            raise ValueError(f"the cached features of {item.id} vanished meanwhile; run again")
        if entry.fault is not None:
            kind, message = entry.fault
            message = message.replace(FILE, str(item.path))
            failures.append(Failure(item.id, recipe.modality, kind, message))
        present = entry.array is not None
        loads[item.id] = partial(_load, cache, keys[item.id]) if present else None
    if items and not any(loads.values()):
        raise ValueError(f"{recipe.modality}: every item failed; the first: {failures[0].message}")
    write_features(path, loads, recipe.dim, {"modality": recipe.modality, **identity})
    return failures


def item_key(modality: str, identity: Identity, item: Item) -> str:
    """Name a cache entry by everything that its bytes depend on."""
    described = json.dumps([modality, identity, item.digest()], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


def _fill(
    recipe: Recipe, items: Sequence[Item], keys: dict[str, str], cache: ItemCache, workers: int
) -> None:
    # Equal inputs share a key: a text tweeted with three photos is embedded once.
    lacking = {keys[item.id]: item for item in items if keys[item.id] not in cache}
    with progress(recipe.modality, len(lacking)) as advance:
        for _ in run_local(recipe, lacking, cache, workers):
            advance()


def _load(cache: ItemCache, key: str) -> np.ndarray:
    entry = cache.get(key)
    if entry is None or entry.array is None:
        raise ValueError("a cached item vanished while it was packed; run again")
    return entry.array
