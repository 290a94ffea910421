from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.features.cache import ItemCache
from pipeline.features.deaths import Batch
from pipeline.features.feeder import Networks, flow, run_fed
from pipeline.features.local import run_local
from pipeline.features.recipe import Item, Network, Read, Recipe
from pipeline.features.text import TextRecipe
from pipeline.features.visual import ClipRecipe, PhotoRecipe
from pipeline.runtime import THREADS

Fake = Callable[..., Any]
MOST = 5


@pytest.fixture
def cache(tmp_path: Path) -> ItemCache:
    return ItemCache(tmp_path / "cache")


def items(*contents: str) -> dict[str, Item]:
    return {f"{k:02}key": Item(f"{k:02}", text=text) for k, text in enumerate(contents)}


def batches(count: int) -> list[Batch]:
    return [[(str(k), Item(str(k)))] for k in range(count)]


def done(value: object) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def test_no_more_than_the_bound_is_on_its_way_and_all_arrive() -> None:
    begun, filled, most = list[Batch](), list[Batch](), 0

    def start_reading(batch: Batch) -> Future[Any]:
        nonlocal most
        begun.append(batch)
        most = max(most, len(begun) - len(filled))
        return done([Read(batch)])

    def start_filling(batch: Batch, reads: Sequence[Read]) -> Future[Any]:
        assert reads == [Read(batch)]
        filled.append(batch)
        return done(None)

    keys = list(flow(batches(40), start_reading, start_filling, MOST))
    assert sorted(keys, key=int) == [str(k) for k in range(40)]
    assert most == MOST


def test_a_network_that_stands_still_stops_the_readers() -> None:
    begun, held = list[Batch](), list[Future[Any]]()

    def start_reading(batch: Batch) -> Future[Any]:
        begun.append(batch)
        return done([])

    def stand_still(batch: Batch, reads: Sequence[Read]) -> Future[Any]:
        held.append(Future())
        if len(held) == MOST:
            held[0].set_result(None)  # one batch is done at last: one more may begin
        if len(held) > MOST:
            raise InterruptedError
        return held[-1]

    with pytest.raises(InterruptedError):
        list(flow(batches(40), start_reading, stand_still, MOST))
    assert len(begun) == MOST + 1


def test_a_pool_that_broke_is_told_when_it_is_given_work_too() -> None:
    begun = list[Future[Any]]()

    def start_reading(batch: Batch) -> Future[Any]:
        if len(begun) == 2:
            raise BrokenProcessPool
        begun.append(Future() if begun else done([]))
        return begun[-1]

    running = flow(batches(3), start_reading, lambda batch, reads: done(None), 2)
    assert next(running) == "0"
    with pytest.raises(ValueError, match=r"a worker process died.*among these: 1$"):
        next(running)


def test_nothing_to_do_opens_nothing(fake: Fake, cache: ItemCache) -> None:
    assert list(run_fed(fake(broken=True), {}, cache, readers=2, networks=1)) == []


def test_a_second_gpu_is_taken_only_while_the_first_computes(
    fake: Fake, cache: ItemCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, opened = fake(), list[int]()
    monkeypatch.setattr(type(recipe), "network", lambda self: opened.append(1) or (lambda _: []))
    networks = Networks(recipe, 2, cache)
    for _ in range(3):
        networks.fill([("key", Item("a"))], [Read(None, ("empty_text", "nothing"))])
    assert opened == [1]


def entries(cache: ItemCache) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.folder.rglob("*") if path.is_file()}


def both(recipe: Recipe, wanted: dict[str, Item], folder: Path, networks: int = 1) -> None:
    """Extract in turn and fed; each key is told when it is there, and the entries are the same."""
    fed, local = ItemCache(folder / "fed"), ItemCache(folder / "local")
    told = []
    for key in run_fed(recipe, wanted, fed, readers=2, networks=networks):
        assert key in fed
        told.append(key)
    assert sorted(told) == sorted(run_local(recipe, wanted, local, workers=1)) == sorted(wanted)
    assert entries(fed) == entries(local)


@pytest.mark.slow
@pytest.mark.parametrize("networks", [1, 2])
def test_fed_networks_fill_the_cache_as_one_in_turn_does(
    fake: Fake,
    tmp_path: Path,
    extracted: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    networks: int,
) -> None:
    from fake_recipe import FakeRecipe

    opened, network = list[int](), FakeRecipe.network

    def open_here(recipe: FakeRecipe) -> Network:
        opened.append(torch.get_num_threads())
        return network(recipe)

    monkeypatch.setattr(FakeRecipe, "network", open_here)  # readers are other processes
    # More than may be on their way, some of them faulty.
    wanted = items("nan", "cut", "unreadable", "mute", *("x" * k for k in range(1, 30)))
    torch.set_num_threads(2)
    both(fake(), wanted, tmp_path, networks)
    assert torch.get_num_threads() == 2
    assert opened == [THREADS] * len(opened)
    assert 2 <= len(opened) <= networks + 1  # with the one in turn
    assert extracted() == sorted(2 * [item.id for item in wanted.values()])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["photo", "clip", "text"])
def test_real_networks_give_the_same_bytes_fed_or_in_turn(
    weights: Path, tmp_path: Path, kind: str
) -> None:
    recipes: dict[str, Recipe] = {
        "photo": PhotoRecipe(weights / "inception.safetensors", 80),
        "clip": ClipRecipe(weights / "inception.safetensors", 3, 80),
        "text": TextRecipe(weights / "options.json", weights / "weights.hdf5", "average"),
    }
    made = {"photo": photos, "clip": clips, "text": texts}[kind](tmp_path)
    wanted = {f"{item.id}key": item for item in made}
    both(recipes[kind], wanted, tmp_path)
    assert len(set(entries(ItemCache(tmp_path / "fed")).values())) == len(wanted)


def photos(folder: Path) -> list[Item]:
    paths = [folder / f"{k}.png" for k in range(3)]
    for k, path in enumerate(paths):
        Image.fromarray(noise(k, 90 + 5 * k, 100)).save(path)
    return [Item(path.stem, path=path) for path in paths]


def clips(folder: Path) -> list[Item]:
    path = folder / "noise.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p"
        for k in range(10):
            picture = av.VideoFrame.from_ndarray(noise(k, 80, 96), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return [Item(str(k), path=path, start=0.1 * k, end=0.1 * k + 0.3) for k in range(6)]


def texts(folder: Path) -> list[Item]:
    return [Item(str(k), text="Flood in Houston! " * k) for k in range(5)]


def noise(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.slow
def test_a_readers_error_reaches_the_user_with_the_items_name(fake: Fake, cache: ItemCache) -> None:
    with pytest.raises(KeyError, match="a fault of the code") as told:
        list(run_fed(fake(), items("a", "bug", "b"), cache, readers=1, networks=1))
    assert told.value.__notes__ == ["while 01 was read"]


@pytest.mark.slow
def test_weights_that_do_not_load_are_told_as_they_are(fake: Fake, cache: ItemCache) -> None:
    with pytest.raises(ValueError, match=r"weights.bin: not the weights of this network"):
        list(run_fed(fake(broken=True), items("a", "b"), cache, readers=1, networks=1))


@pytest.mark.slow
def test_a_reader_that_dies_is_told_with_the_items_it_may_have_died_of(
    beside: None, tmp_path: Path, cache: ItemCache
) -> None:
    from deadly_recipe import DeadlyRecipe

    recipe = DeadlyRecipe(tmp_path / "log", tmp_path / "victim")
    with pytest.raises(ValueError, match=r"a worker process died.*among these: .*00"):
        list(run_fed(recipe, items("deadly", "a", "b"), cache, readers=1, networks=1))


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA GPU")
def test_a_gpu_gives_the_same_bytes_fed_or_in_turn(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HGFN_DEVICE", "cuda")
    wanted = {f"{item.id}key": item for item in clips(tmp_path)}
    both(ClipRecipe(weights / "inception.safetensors", 3, 80), wanted, tmp_path)
