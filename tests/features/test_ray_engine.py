"""One Ray of this machine serves all of these tests: starting it takes seconds."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.features import ray_engine as module
from pipeline.features.cache import PARTS, ItemCache
from pipeline.features.entry import Entry
from pipeline.features.extract import extract_features
from pipeline.features.ray_cluster import cluster
from pipeline.features.ray_engine import run_ray
from pipeline.features.recipe import Item, Recipe
from pipeline.ground.failures import Failure

Fake = Callable[..., Any]
WORKERS = 2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),  # Ray's, of its own defaults
]


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        with cluster(WORKERS) as started:
            yield started


@pytest.fixture
def cache(tmp_path: Path) -> ItemCache:
    return ItemCache(tmp_path / "cache")


def items(*contents: str) -> dict[str, Item]:
    return {f"{k:02}key": Item(f"{k:02}", text=text) for k, text in enumerate(contents)}


def packed(
    recipe: Recipe, chosen: list[Item], engine: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Failure], bytes]:
    monkeypatch.setenv("HGFN_ENGINE", engine)
    workers, path = {"local": 1, "ray": WORKERS}[engine], folder / f"{engine}.h5"
    cache = ItemCache(folder / engine)
    return extract_features(recipe, chosen, ["absent"], path, cache, workers), path.read_bytes()


def test_ray_listens_to_this_machine_alone() -> None:
    addresses = {
        connection.laddr.ip
        for process in psutil.Process().children(recursive=True)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses
    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


@pytest.mark.parametrize("kind", ["photo", "clip", "sound", "text"])
def test_ray_gives_the_same_features_and_says_nothing(
    real_recipe: Callable[..., Recipe],
    real_items: dict[str, list[Item]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    recipe, chosen = real_recipe(kind), real_items[kind]
    local, ray = (packed(recipe, chosen, name, tmp_path, monkeypatch) for name in ("local", "ray"))
    assert local == ray
    assert capfd.readouterr() == ("", "")


def test_ray_gives_the_same_file_even_where_a_worker_is_killed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    beside: None,
    extracted: Callable[[], list[str]],
) -> None:
    from deadly_recipe import DeadlyRecipe

    contents = ["nan", "cut", "deadly", "unreadable", "mute", *("x" * k for k in range(1, 30))]
    chosen = [Item(f"{k:02}", text=text) for k, text in enumerate(contents)]
    recipe = DeadlyRecipe(tmp_path / "log.txt", tmp_path / "victim")
    recipe.victim.touch()
    local = packed(recipe, chosen, "local", tmp_path, monkeypatch)
    assert extracted() == [item.id for item in chosen]
    recipe.victim.unlink()
    assert packed(recipe, chosen, "ray", tmp_path, monkeypatch) == local
    assert recipe.victim.exists()
    # The worker that took over does nothing again that was already in the cache.
    assert extracted() == [item.id for item in chosen]


def test_a_fault_that_is_tried_again_is_replaced_even_where_its_worker_is_killed(
    tmp_path: Path, cache: ItemCache, monkeypatch: pytest.MonkeyPatch, beside: None
) -> None:
    from deadly_recipe import DeadlyRecipe

    monkeypatch.setenv("HGFN_WORKERS", "1")
    recipe = DeadlyRecipe(tmp_path / "log.txt", tmp_path / "victim")
    cache.put("00key", Entry(None, ("decode_failed", "the old fault")))
    assert list(run_ray(recipe, items("deadly"), cache, WORKERS)) == ["00key"]
    assert recipe.victim.exists()
    entry = cache.get("00key")
    assert entry is not None
    assert entry.fault is None
    assert entry.array is not None


def test_a_workers_error_reaches_the_user_as_it_is(
    fake: Fake, cache: ItemCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_WORKERS", "1")
    with pytest.raises(KeyError, match="a fault of the code"):
        list(run_ray(fake(), items("a", "bug", "b"), cache, WORKERS))


def test_keys_are_told_as_they_come_and_stopping_stops_the_workers(
    tmp_path: Path, cache: ItemCache, beside: None, extracted: Callable[[], list[str]]
) -> None:
    from deadly_recipe import DeadlyRecipe

    wanted = items(*("x" * k for k in range(80)))
    recipe = DeadlyRecipe(tmp_path / "log.txt", tmp_path / "victim", seconds=0.1)
    running = run_ray(recipe, wanted, cache, WORKERS)
    assert next(running) in cache
    running.close()
    assert len(extracted()) < len(wanted) // 2


def test_a_run_of_days_keeps_its_mark_young(
    fake: Fake, cache: ItemCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = []

    def rows(ray: Any, recipe: Recipe, _: Any, cache: ItemCache, mark: str) -> Iterator[Any]:
        path = cache.folder / PARTS / mark
        for _ in range(2):
            os.utime(path, (0, 0))
            yield {"keys": pickle.dumps([]), "error": b""}
            ages.append(path.stat().st_mtime)

    monkeypatch.setattr(module, "_extract", rows)
    assert list(run_ray(fake(), items("a"), cache, WORKERS)) == []
    assert min(ages) > 0
