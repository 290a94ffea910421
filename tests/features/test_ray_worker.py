"""A worker as Ray would call it, in this process."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.features import ray_worker as module
from pipeline.features.cache import ItemCache
from pipeline.features.deaths import Batch
from pipeline.features.entry import Entry
from pipeline.features.node import Node
from pipeline.features.ray_worker import ATTEMPTS, Attempts, RayWorker
from pipeline.features.recipe import Item, Recipe

Fake = Callable[..., Any]
BATCHES = [[("0key", Item("0", text="a"))], [("1key", Item("1", text="bb"))]]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ItemCache:
    import ray

    monkeypatch.setattr(ray, "get", lambda result: result)
    monkeypatch.setenv("HGFN_DEVICE", "cpu")  # given back: a worker sets it
    return ItemCache(tmp_path / "cache")


def actor(attempts: Attempts) -> Any:
    """What Ray makes of an object: its methods under `remote`."""
    methods = ("begin", "end", "forget", "agree")
    return SimpleNamespace(
        **{name: SimpleNamespace(remote=getattr(attempts, name)) for name in methods}
    )


def work(
    recipe: Recipe,
    cache: ItemCache,
    attempts: Attempts,
    driver: ItemCache | None = None,
    batches: Sequence[Batch] = BATCHES,
) -> tuple[list[str], bytes]:
    with (driver or cache).marked() as mark:
        here = Node.here(recipe)
        worker = RayWorker(pickle.dumps(recipe), cache, mark, here, actor(attempts))
        done = worker({"batch": [pickle.dumps(batch) for batch in batches]})
    (keys,), (error,) = done["keys"], done["error"]
    return pickle.loads(keys), error


def test_a_block_is_extracted_batch_by_batch(
    fake: Fake, cache: ItemCache, extracted: Callable[[], list[str]]
) -> None:
    assert work(fake(), cache, Attempts()) == (["0key", "1key"], b"")
    assert extracted() == ["0", "1"]


def test_a_worker_that_takes_over_does_only_what_is_not_there(
    fake: Fake, cache: ItemCache, extracted: Callable[[], list[str]]
) -> None:
    attempts = Attempts()
    attempts.begin("0key")
    attempts.end("0key")
    attempts.begin("1key")
    assert work(fake(), cache, attempts) == (["0key", "1key"], b"")
    assert extracted() == ["1"]


def test_a_fault_that_is_tried_again_is_not_done_because_it_is_in_the_cache(
    fake: Fake, cache: ItemCache, extracted: Callable[[], list[str]]
) -> None:
    attempts = Attempts()
    attempts.begin("0key")  # by a worker that died before it put a new result there
    cache.put("0key", Entry(None, ("decode_failed", "the old fault")))
    assert work(fake(), cache, attempts) == (["0key", "1key"], b"")
    assert extracted() == ["0", "1"]
    entry = cache.get("0key")
    assert entry is not None
    assert entry.fault is None


def test_what_is_done_is_told_before_the_next_is_begun(fake: Fake, cache: ItemCache) -> None:
    attempts = Attempts()
    seen: list[object] = []
    attempts.forget = seen.append  # type: ignore[method-assign]
    work(fake(), cache, attempts)
    assert seen == [["0key", "1key"]]
    assert [attempts.begin(key) for key in ("0key", "1key")] == [None, None]


def test_an_item_that_ends_every_worker_is_named(
    fake: Fake, cache: ItemCache, extracted: Callable[[], list[str]]
) -> None:
    attempts = Attempts()
    for key in ("0key", "1key"):
        for _ in range(ATTEMPTS):
            attempts.begin(key)
    attempts.end("0key")  # done before the next one killed its worker
    keys, error = work(fake(), cache, attempts)
    assert keys == ["0key"]
    assert str(pickle.loads(error)) == "4 workers died on 1: out of memory, or a fatal input"
    assert extracted() == []


def test_weights_that_do_not_load_are_told_as_they_are(fake: Fake, cache: ItemCache) -> None:
    keys, error = work(fake(broken=True), cache, Attempts())
    assert keys == []
    assert str(pickle.loads(error)) == "weights.bin: not the weights of this network"


def test_all_workers_have_the_gpu_of_the_first(
    fake: Fake, cache: ItemCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = Attempts()
    monkeypatch.setenv("HGFN_DEVICE", "cuda")
    for gpu, told in (("H100", None), ("H100", None), ("A100", "another GPU: A100, not H100")):
        monkeypatch.setattr(module, "gpu_name", lambda gpu=gpu: gpu)
        _, error = work(fake(), cache, attempts)
        assert (told is None) == (not error)
        assert told is None or told in str(pickle.loads(error))


def test_a_network_on_the_cpu_asks_for_no_gpu(
    fake: Fake, cache: ItemCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = fake()
    monkeypatch.setattr(type(recipe), "gpu", False)
    monkeypatch.setenv("HGFN_DEVICE", "cuda")
    monkeypatch.setattr(module, "gpu_name", lambda: "A100")
    assert work(recipe, cache, Attempts("H100")) == (["0key", "1key"], b"")


def test_a_node_that_has_another_cache_is_refused_before_its_first_item(
    fake: Fake, cache: ItemCache, tmp_path: Path, extracted: Callable[[], list[str]]
) -> None:
    keys, error = work(fake(), cache, Attempts(), driver=ItemCache(tmp_path / "of the driver"))
    assert str(pickle.loads(error)) == (
        f"node {socket.gethostname()} has another item cache at {cache.folder}; set HGFN_CACHE to "
        "a folder that all nodes share, or to a URL"
    )
    assert keys == extracted() == []


def test_an_error_of_another_node_names_it(
    fake: Fake, cache: ItemCache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    described = Node.here
    monkeypatch.setattr(Node, "here", lambda recipe: replace(described(recipe), name="head"))
    lost = [[("0key", Item("0", path=tmp_path / "lost.txt"))]]
    for recipe, kind, notes in (
        (fake(broken=True), ValueError, []),
        (fake(), FileNotFoundError, ["while 0 was read"]),
    ):
        _, pickled = work(recipe, cache, Attempts(), batches=lost)
        error = pickle.loads(pickled)
        assert type(error) is kind
        assert error.__notes__ == [*notes, f"on node {socket.gethostname()}"]


def test_what_no_node_is_to_blame_for_names_none(
    fake: Fake, cache: ItemCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = Attempts()
    for _ in range(ATTEMPTS):
        attempts.begin("0key")
    asking = replace(Node.here(fake()), name="head")
    monkeypatch.setattr(Node, "here", lambda recipe: asking)
    _, pickled = work(fake(), cache, attempts)
    error = pickle.loads(pickled)
    assert str(error).startswith("4 workers died on 0: ")
    assert not hasattr(error, "__notes__")
