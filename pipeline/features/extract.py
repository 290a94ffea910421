"""From items to a feature file: what the cache lacks is computed, then all is packed."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.features.cache import ItemCache
from pipeline.features.engine import run_engine
from pipeline.features.entry import Entry
from pipeline.features.recipe import FILE, Identity, Item, Recipe, file_digest
from pipeline.ground.failures import Failure
from pipeline.ground.progress import progress
from pipeline.inputs.feature_file import write_features


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
    failures = _failures(recipe.modality, items, [found[keys[item.id]].fault for item in items])
    present = {item.id: keys[item.id] for item in items if found[keys[item.id]].present}
    if items and not present:
        raise ValueError(f"{recipe.modality}: every item failed; the first: {failures[0].message}")
    loads = {**dict.fromkeys([*absent, *keys]), **_loads(cache, present)}
    write_features(path, loads, recipe.dim, {"modality": recipe.modality, **identity})
    return failures


def _failures(
    modality: str, items: Sequence[Item], faults: Sequence[tuple[str, str] | None]
) -> list[Failure]:
    return [
        Failure(item.id, modality, fault[0], fault[1].replace(FILE, str(item.path)))
        for item, fault in zip(items, faults, strict=True)
        if fault is not None
    ]


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
        for key, entry in cache.get_many(run_engine(recipe, lacking, cache, workers)):
            if entry is None:
                raise ValueError(f"the features of {lacking[key].id} vanished meanwhile; run again")
            found[key] = _outcome(entry)
            advance()
    return found


def _cached(
    cache: ItemCache, keys: Mapping[str, str], retry: Collection[str]
) -> dict[str, _Outcome]:
    outcomes = {
        key: _outcome(entry)
        for key, entry in cache.get_many(sorted(set(keys.values())))
        if entry is not None
    }
    return {
        key: outcome
        for key, outcome in outcomes.items()
        if outcome.fault is None or outcome.fault[0] not in retry
    }


def _outcome(entry: Entry) -> _Outcome:
    return _Outcome(entry.array is not None, entry.fault)


def _loads(cache: ItemCache, keys: Mapping[str, str]) -> dict[str, partial[np.ndarray]]:
    # A feature file is written in sorted order of the ids: entries are asked for before each turn.
    names = sorted(keys)
    entries = cache.get_many(keys[name] for name in names)
    return {name: partial(_next, entries, keys[name]) for name in names}


def _next(entries: Iterator[tuple[str, Entry | None]], key: str) -> np.ndarray:
    found, entry = next(entries)
    assert found == key, "feature files are written in sorted order"
    if entry is None or entry.array is None:
        raise ValueError("a cached item vanished while it was packed; run again")
    return entry.array
