"""One Ray of this machine serves all of these tests: starting it takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract_features
from pipeline.features.ray_cluster import cluster
from pipeline.features.ray_engine import run_ray
from pipeline.features.recipe import Item
from pipeline.features.text import TextRecipe

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
    recipe: Any, chosen: list[Item], engine: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, bytes]:
    monkeypatch.setenv("HGFN_ENGINE", engine)
    path = folder / f"{engine}.h5"
    failures = extract_features(recipe, chosen, ["absent"], path, ItemCache(folder / engine), 2)
    return failures, path.read_bytes()


def test_ray_listens_to_this_machine_alone(ray: Any) -> None:
    addresses = {
        connection.laddr.ip
        for process in psutil.Process().children(recursive=True)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses
    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


def test_ray_gives_the_same_file_as_the_local_engine(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    contents = ["nan", "cut", "unreadable", "mute", *("x" * k for k in range(1, 40))]
    chosen = [Item(f"{k:02}", text=text) for k, text in enumerate(contents)]
    results = [packed(fake(), chosen, name, tmp_path, monkeypatch) for name in ("local", "ray")]
    assert results[0] == results[1]
    assert len(results[0][0]) == 4
    assert capfd.readouterr() == ("", "")


def test_ray_gives_the_same_text_features(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = TextRecipe(weights / "options.json", weights / "weights.hdf5", "average")
    chosen = [Item(f"{k:02}", text="Flood in Houston " * (k % 4 + 1)) for k in range(12)]
    results = [packed(recipe, chosen, name, tmp_path, monkeypatch) for name in ("local", "ray")]
    assert results[0] == results[1]


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
        list(run_ray(fake(**options), items("a", "bug", "b"), cache, WORKERS))


def test_what_a_killed_worker_had_in_hand_is_taken_over(
    tmp_path: Path, cache: ItemCache, beside: None, extracted: Callable[[], list[str]]
) -> None:
    from deadly_recipe import DeadlyRecipe

    wanted = items("a", "b", "deadly", *("x" * k for k in range(20)))
    told = list(run_ray(DeadlyRecipe(tmp_path / "log.txt"), wanted, cache, WORKERS))
    assert (tmp_path / "log.victim").exists()
    assert sorted(told) == sorted(wanted)
    assert all(key in cache for key in wanted)
    # Nothing that was already in the cache is done again.
    assert extracted() == sorted(item.id for item in wanted.values())


def test_keys_are_told_as_they_come_and_stopping_stops_the_workers(
    tmp_path: Path, cache: ItemCache, beside: None, extracted: Callable[[], list[str]]
) -> None:
    from deadly_recipe import DeadlyRecipe

    wanted = items(*("x" * k for k in range(80)))
    running = run_ray(DeadlyRecipe(tmp_path / "log.txt", seconds=0.1), wanted, cache, WORKERS)
    assert next(running) in cache
    running.close()
    assert len(extracted()) < len(wanted) // 2
