"""From the index to a feature file: items missing in the cache are computed, then all packed."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline import runtime
from pipeline.extractors.encoder import Origin
from pipeline.features.bucket_cache import open_cache
from pipeline.features.cache import Entry, ItemCache
from pipeline.features.items import items_of
from pipeline.features.local import run_local
from pipeline.features.ray_engine import run_ray
from pipeline.features.recipe import Identity, Item, Recipe, device_of, file_digest
from pipeline.ground.data_set import DataSet
from pipeline.ground.failures import Failure, retried_kinds, summary, write_failures
from pipeline.ground.messages import echo
from pipeline.ground.progress import progress
from pipeline.ground.system_errors import require_space
from pipeline.inputs.feature_file import FeatureFile, write_features
from pipeline.inputs.parquet import read_table

# Extracts items (by cache key) into the cache, in at most this many processes; yields keys done.
Engine = Callable[[Recipe, Mapping[str, Item], ItemCache, int], Iterator[str]]


def extract(chosen: DataSet, recipe: Recipe, origin: Origin) -> None:
    """Write the feature file and the failures of a data set's modality; print one line.

    `origin` says where the weights come from.
    """
    index = read_table(chosen.index)
    items = items_of(index, recipe.modality, chosen.raw)
    if runtime.device() != device_of(recipe):
        echo(f"{recipe.modality}: runs on the CPU; HGFN_DEVICE is not for its network")
    cache = open_cache()
    failures = extract_features(
        recipe,
        items,
        absent=sorted(set(index["id"]) - {item.id for item in items}),
        path=chosen.features(recipe.modality),
        cache=cache,
        workers=runtime.workers(),
        retry=retried_kinds(),
        attributes={"encoder": origin.encoder, "weights_origin": origin.weights},
    )
    write_failures(chosen.failures(recipe.modality), failures)
    expected = recipe.modality in chosen.modalities_of(index)
    if expected and not FeatureFile(chosen.features(recipe.modality)).present.any():
        echo(
            f"warning: {chosen.name}: no sample has any {recipe.modality} features; training and "
            "evaluation go on without them"
        )
    damaged = f"; {cache.damaged} damaged cache entries made again" if cache.damaged else ""
    echo(
        f"{chosen.name} {recipe.modality}: {origin.encoder} ({origin.weights}); {len(items)} of "
        f"{len(index)} samples have a source, {summary(failures)}{damaged}"
    )


def extract_features(
    recipe: Recipe,
    items: Sequence[Item],
    absent: Sequence[str],
    path: Path,
    cache: ItemCache,
    workers: int,
    retry: Collection[str] = (),
    attributes: Mapping[str, str] | None = None,
    engine: Engine | None = None,
    identity: Identity | None = None,
) -> list[Failure]:
    """Write the feature file of `items`, and of the ids in `absent` as absent; return failures.

    Cached failures of the kinds in `retry` are tried again. If every item failed, the modality is
    absent from all samples. `attributes` are added to the file's. `engine` is by default that of
    HGFN_ENGINE. `identity` is the recipe's; without it, the weights are read again.
    """
    engine = engine or chosen_engine()
    identity = identity or recipe.identity()
    keys = _keys(recipe, identity, items)
    outcomes = _cached(cache, set(keys.values()), retry)
    # Equal inputs share a key: a text tweeted with three photos is embedded once.
    missing = {keys[item.id]: item for item in items if keys[item.id] not in outcomes}
    outcomes |= _computed(engine, recipe, missing, cache, workers)
    failures = list(_failures(recipe.modality, items, keys, outcomes))
    present = {item.id: keys[item.id] for item in items if outcomes[keys[item.id]].length}
    rows = sum(outcomes[key].length for key in present.values())
    path.parent.mkdir(parents=True, exist_ok=True)
    require_space(path, 4 * recipe.dim * rows)
    arrays = _arrays(cache, sorted([*absent, *keys]), present)
    described = {"modality": recipe.modality, **identity, **(attributes or {})}
    write_features(path, arrays, recipe.dim, described)
    return failures


def chosen_engine() -> Engine:
    """Return the engine of HGFN_ENGINE."""
    return run_ray if runtime.engine() == "ray" else run_local


def item_key(
    modality: str,
    identity: Identity,
    item: Item,
    hash_file: Callable[[Path], str] = file_digest,
) -> str:
    """Return the key of a cache entry: a digest of everything that its bytes depend on."""
    description = json.dumps([modality, identity, item.digest(hash_file)], sort_keys=True)
    return hashlib.sha256(description.encode()).hexdigest()


def _keys(recipe: Recipe, identity: Identity, items: Sequence[Item]) -> dict[str, str]:
    # Spans of one clip share its file: it is hashed once.
    hash_file = functools.cache(file_digest)
    keys = {}
    with progress(f"{recipe.modality}: inputs", len(items)) as advance:
        for item in items:
            own = recipe.item_identity(identity, item)
            keys[item.id] = item_key(recipe.modality, own, item, hash_file)
            advance()
    return keys


class _Outcome(NamedTuple):
    """An entry with only the length of its array, 0 for none, since that may be large."""

    length: int
    failure: tuple[str, str] | None

    @classmethod
    def of(cls, entry: Entry) -> _Outcome:
        return cls(0 if entry.array is None else len(entry.array), entry.failure)


def _cached(cache: ItemCache, keys: Collection[str], retry: Collection[str]) -> dict[str, _Outcome]:
    return {
        key: _Outcome.of(entry)
        for key, entry in cache.get_many(sorted(keys))
        if entry is not None and (entry.failure is None or entry.failure[0] not in retry)
    }


def _computed(
    engine: Engine, recipe: Recipe, missing: Mapping[str, Item], cache: ItemCache, workers: int
) -> dict[str, _Outcome]:
    outcomes = {}
    with progress(recipe.modality, len(missing)) as advance:
        for key, entry in cache.get_many(engine(recipe, missing, cache, workers)):
            if entry is None:
                raise _disappeared(missing[key].id)
            outcomes[key] = _Outcome.of(entry)
            advance()
    cache.clean()
    return outcomes


def _failures(
    modality: str,
    items: Sequence[Item],
    keys: Mapping[str, str],
    outcomes: Mapping[str, _Outcome],
) -> Iterator[Failure]:
    for item in items:
        if failure := outcomes[keys[item.id]].failure:
            kind, message = failure
            yield Failure(item.id, modality, kind, item.with_paths(message))


def _arrays(
    cache: ItemCache, ids: Sequence[str], present: Mapping[str, str]
) -> Iterator[tuple[str, np.ndarray | None]]:
    """Yield each id with its array; `present` maps those that have one to their keys."""
    entries = cache.get_many(present[name] for name in ids if name in present)
    for name in ids:
        if name not in present:
            yield name, None
            continue
        _, entry = next(entries)
        if entry is None or entry.array is None:
            raise _disappeared(name)
        yield name, entry.array


def _disappeared(name: str) -> ValueError:
    return ValueError(f"the features of {name} disappeared from the cache; run again")
