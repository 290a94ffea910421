from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract_features
from pipeline.features.local import run_local, shares
from pipeline.features.recipe import Item
from pipeline.runtime import THREADS

Fake = Callable[..., Any]


@pytest.fixture
def cache(tmp_path: Path) -> ItemCache:
    return ItemCache(tmp_path / "cache")


def items(*contents: str) -> dict[str, Item]:
    return {f"{k:02}key": Item(f"{k:02}", text=text) for k, text in enumerate(contents)}


def test_nothing_to_do_opens_nothing(fake: Fake, cache: ItemCache) -> None:
    assert list(run_local(fake(broken=True), {}, cache, 4)) == []


def test_each_key_is_told_when_its_entry_is_there(fake: Fake, cache: ItemCache) -> None:
    wanted = items("a", "b", "nan")
    told = []
    for key in run_local(fake(), wanted, cache, 1):
        assert key in cache
        told.append(key)
    assert sorted(told) == sorted(wanted)


def test_the_callers_threads_are_given_back(fake: Fake, cache: ItemCache) -> None:
    torch.set_num_threads(2)
    running = run_local(fake(), items("a", "bug"), cache, 1)
    next(running)
    assert torch.get_num_threads() == THREADS == 1
    with pytest.raises(KeyError):
        next(running)
    assert torch.get_num_threads() == 2


def test_weights_that_do_not_load_are_told_as_they_are(fake: Fake, cache: ItemCache) -> None:
    with pytest.raises(ValueError, match=r"weights.bin: not the weights"):
        list(run_local(fake(broken=True), items("a", "b"), cache, 1))


@pytest.mark.slow
def test_workers_give_the_same_file_as_one_process(
    fake: Fake, tmp_path: Path, extracted: Callable[[], list[str]]
) -> None:
    # More than each worker's share of waiting items, some of them faulty.
    contents = ["nan", "cut", "unreadable", *("x" * k for k in range(1, 20))]
    chosen = [Item(f"{k:02}", text=text) for k, text in enumerate(contents)]
    results = []
    for workers in (1, 2):
        cache, path = ItemCache(tmp_path / f"cache{workers}"), tmp_path / f"{workers}.h5"
        failures = extract_features(fake(), chosen, ["absent"], path, cache, workers)
        results.append((failures, path.read_bytes()))
        assert extracted() == [item.id for item in chosen]
    assert results[0] == results[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({}, KeyError, "a fault of the code"),
        ({"broken": True}, ValueError, "weights.bin: not the weights of this network"),
    ],
)
def test_a_workers_error_reaches_the_user_as_it_is(
    fake: Fake, cache: ItemCache, options: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        list(run_local(fake(**options), items("a", "bug", "b"), cache, 2))


@pytest.mark.parametrize(
    ("count", "batch", "workers", "expected"),
    [
        (0, 256, 4, (1, 1)),
        (300, 256, 64, (2, 150)),
        (257, 256, 64, (2, 129)),
        (1000, 256, 2, (2, 256)),
        (9, 1, 4, (4, 1)),
    ],
)
def test_batches_are_shared_by_the_workers_that_start(
    count: int, batch: int, workers: int, expected: tuple[int, int]
) -> None:
    assert shares(count, batch, workers) == expected


@pytest.mark.slow
def test_a_worker_that_dies_is_told_with_the_items_it_may_have_died_of(
    beside: None, tmp_path: Path, cache: ItemCache
) -> None:
    from deadly_recipe import DeadlyRecipe

    recipe = DeadlyRecipe(tmp_path / "log", tmp_path / "victim")
    with pytest.raises(ValueError, match=r"a worker process died.*among these: .*00"):
        list(run_local(recipe, items("deadly", "a", "b", "c"), cache, 2))


def look(key: str) -> None:
    time.sleep(0.5)  # longer than a worker needs to die


@pytest.mark.slow
def test_a_death_is_told_alike_while_the_caller_is_busy(
    beside: None, tmp_path: Path, cache: ItemCache
) -> None:
    from deadly_recipe import DeadlyRecipe

    recipe, wanted = DeadlyRecipe(tmp_path / "log", tmp_path / "victim"), ["a"] * 40
    running = run_local(recipe, items("a", "deadly", *wanted), cache, 2)
    with pytest.raises(ValueError, match=r"a worker process died.*among these: .*01"):
        list(map(look, running))
