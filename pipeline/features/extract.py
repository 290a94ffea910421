"""From items to a feature file: what the cache lacks is computed, then all is packed."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.features.cache import ItemCache
from pipeline.features.engine import run_engine
from pipeline.features.failures import Failure
from pipeline.features.recipe import FILE, Identity, Item, Recipe, file_digest
from pipeline.features.store import write_features
from pipeline.progress import progress


def extract_features(
    recipe: Recipe,
    items: Sequence[Item],
    absent: Sequence[str],
    path: Path,
    cache: ItemCache,
    workers: int,
    retry: Collection[str] = (),
) -> list[Failure]:
    """Write the feature file of `items`, and of the ids in `absent` as absent; return the faults.

    Cached faults of the kinds in `retry` are tried again. Raises ValueError if there are items and
    every one of them failed.
    """
    identity = recipe.identity()
    keys = _keys(recipe.modality, identity, items)
    found = _fill(recipe, items, keys, cache, workers, retry)
    cache.clean()
    loads: dict[str, partial[np.ndarray] | None] = dict.fromkeys(absent)
    failures = []
    for item in items:
        outcome = found[keys[item.id]]
        if outcome.fault is not None:
            kind, message = outcome.fault
            message = message.replace(FILE, str(item.path))
            failures.append(Failure(item.id, recipe.modality, kind, message))
        loads[item.id] = partial(_load, cache, keys[item.id]) if outcome.present else None
    if items and not any(loads.values()):
        raise ValueError(f"{recipe.modality}: every item failed; the first: {failures[0].message}")
    write_features(path, loads, recipe.dim, {"modality": recipe.modality, **identity})
    return failures


def item_key(
    modality: str,
    identity: Identity,
    item: Item,
    hash_file: Callable[[Path], str] = file_digest,
) -> str:
    """Name a cache entry by everything that its bytes depend on."""
    described = json.dumps([modality, identity, item.digest(hash_file)], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


def _keys(modality: str, identity: Identity, items: Sequence[Item]) -> dict[str, str]:
    # Spans of one clip share its file: it is read once.
    hash_file = functools.cache(file_digest)
    keys = {}
    with progress(f"{modality}: inputs", len(items)) as advance:
        for item in items:
            keys[item.id] = item_key(modality, identity, item, hash_file)
            advance()
    return keys


@dataclass(frozen=True)
class _Outcome:
    """What is known of an entry without holding its array."""

    present: bool
    fault: tuple[str, str] | None


def _fill(
    recipe: Recipe,
    items: Sequence[Item],
    keys: dict[str, str],
    cache: ItemCache,
    workers: int,
    retry: Collection[str],
) -> dict[str, _Outcome]:
    found = _cached(cache, keys, retry)
    # Equal inputs share a key: a text tweeted with three photos is embedded once.
    lacking = {keys[item.id]: item for item in items if keys[item.id] not in found}
    with progress(recipe.modality, len(lacking)) as advance:
        for key in run_engine(recipe, lacking, cache, workers):
            outcome = _outcome(cache, key)
            if outcome is None:
                raise ValueError(f"the features of {lacking[key].id} vanished meanwhile; run again")
            found[key] = outcome
            advance()
    return found


def _cached(
    cache: ItemCache, keys: Mapping[str, str], retry: Collection[str]
) -> dict[str, _Outcome]:
    outcomes = {key: _outcome(cache, key) for key in set(keys.values())}
    return {
        key: outcome
        for key, outcome in outcomes.items()
        if outcome is not None and (outcome.fault is None or outcome.fault[0] not in retry)
    }


def _outcome(cache: ItemCache, key: str) -> _Outcome | None:
    entry = cache.get(key)
    return None if entry is None else _Outcome(entry.array is not None, entry.fault)


def _load(cache: ItemCache, key: str) -> np.ndarray:
    entry = cache.get(key)
    if entry is None or entry.array is None:
        raise ValueError("a cached item vanished while it was packed; run again")
    return entry.array
