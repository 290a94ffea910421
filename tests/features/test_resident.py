"""The engine of few items: the entries of the other engines, and each network loaded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.features import resident
from pipeline.features.cache import ItemCache, MemoryCache
from pipeline.features.local import run_local
from pipeline.features.recipe import Item, Network, Recipe
from pipeline.features.resident import FEW, Resident

Fake = Callable[..., Any]


def items(count: int) -> dict[str, Item]:
    return {f"{k:02}key": Item(f"{k:02}", text="a" * (k + 1)) for k in range(count)}


def test_few_items_have_the_entries_of_the_local_engine(fake: Fake, cache: ItemCache) -> None:
    here, some = MemoryCache(), items(3)
    assert list(Resident()(fake(), some, here, 1)) == list(run_local(fake(), some, cache, 1))
    for key in some:
        ours, theirs = here.get(key), cache.get(key)
        assert ours is not None
        assert theirs is not None
        assert ours.failure == theirs.failure
        assert ours.array is not None
        assert theirs.array is not None
        assert ours.array.tobytes() == theirs.array.tobytes()


def test_a_network_is_loaded_once_for_all_caches(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, recipe, loads = Resident(), fake(), list[Recipe]()
    load = type(recipe).network

    def network(recipe: Recipe) -> Network:
        loads.append(recipe)
        loaded: Network = load(recipe)
        return loaded

    monkeypatch.setattr(type(recipe), "network", network)
    for _ in range(2):
        own = MemoryCache()
        assert sorted(engine(recipe, items(2), own, 1)) == ["00key", "01key"]
        assert own.get("01key") is not None
    assert len(loads) == 1


def test_more_items_go_to_the_chosen_engine(
    fake: Fake, cache: ItemCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    monkeypatch.setattr(
        resident, "chosen_engine", lambda: lambda *call: iter(given.append(call) or ())
    )
    many = items(FEW + 1)
    assert list(Resident()(fake(), many, cache, 2)) == []
    assert [(call[1], call[3]) for call in given] == [(many, 2)]
