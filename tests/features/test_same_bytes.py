"""An item's bytes, whatever shares its batch, in whichever order, and with however many threads."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from pipeline.features.cache import Entry, ItemCache
from pipeline.features.local import run_local
from pipeline.features.recipe import Item, Recipe

Items = dict[str, list[Item]]
Open = Callable[..., Recipe]
Run = Callable[[Sequence[Item]], list[Entry]]
Opened = Callable[[Recipe], Run]

# What SoundNet computes in is no setting.
PRECISIONS = {name: ("float32", "bfloat16") for name in ("photo", "clip", "text")}
CASES = [
    (kind, precision)
    for kind, precisions in {**PRECISIONS, "sound": ("float32",)}.items()
    for precision in precisions
]


def groups(count: int, seed: int) -> Iterator[list[int]]:
    """Shuffle and cut into groups of random sizes."""
    chance = random.Random(seed)
    order = chance.sample(range(count), count)
    while order:
        size = chance.randint(1, len(order))
        yield order[:size]
        order = order[size:]


def bytes_of(run: Run, items: Sequence[Item], parts: Iterator[list[int]]) -> list[bytes]:
    result = dict[int, bytes]()
    for part in parts:
        for index, entry in zip(part, run([items[k] for k in part]), strict=True):
            assert entry.array is not None
            result[index] = entry.array.tobytes()
    return [result[index] for index in range(len(items))]


@pytest.mark.parametrize(("kind", "precision"), CASES)
def test_an_item_has_the_same_bytes_however_items_are_grouped(
    real_recipe: Open, real_items: Items, opened: Opened, kind: str, precision: str
) -> None:
    recipe, chosen = real_recipe(kind, precision), real_items[kind]
    together = bytes_of(opened(recipe), chosen, iter([list(range(len(chosen)))]))
    assert len(set(together)) == len(chosen)
    for seed in range(3):
        assert bytes_of(opened(recipe), chosen, groups(len(chosen), seed)) == together


@pytest.mark.parametrize(("kind", "precision"), CASES)
def test_an_item_has_the_same_bytes_whatever_the_process_computed_before(
    real_recipe: Open, real_items: Items, opened: Opened, kind: str, precision: str
) -> None:
    recipe, item = real_recipe(kind, precision), real_items[kind][-1]
    alone = bytes_of(opened(recipe), [item], iter([[0]]))
    before = torch.randn(64, 300) @ torch.randn(300, 7)
    torch.nn.functional.conv2d(torch.randn(3, 8, 50, 50), torch.randn(8, 8, 3, 3))
    assert before.isfinite().all()
    assert bytes_of(opened(recipe), [item], iter([[0]])) == alone


@pytest.fixture
def two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("kind", "precision"), [("text", "float32"), ("text", "bfloat16"), ("sound", "float32")]
)
@pytest.mark.usefixtures("two_threads")
def test_an_item_has_the_same_bytes_however_many_threads_the_process_has(
    real_recipe: Open, real_items: Items, opened: Opened, tmp_path: Path, kind: str, precision: str
) -> None:
    recipe, item = real_recipe(kind, precision), real_items[kind][0]
    cache = ItemCache(tmp_path / "cache")
    assert list(run_local(recipe, {"a" * 64: item}, cache, workers=1)) == ["a" * 64]
    assert torch.get_num_threads() == 2
    entry = cache.get("a" * 64)
    assert entry is not None
    assert entry.array is not None
    torch.set_num_threads(1)
    assert [entry.array.tobytes()] == bytes_of(opened(recipe), [item], iter([[0]]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clip", "sound", "text"])
def test_an_item_has_the_same_bytes_however_many_workers_share_the_work(
    real_recipe: Open, real_items: Items, opened: Opened, tmp_path: Path, kind: str
) -> None:
    recipe, chosen = real_recipe(kind), real_items[kind]
    if kind == "text":  # more than one batch, so that two workers start
        chosen = [Item(str(k), text=f"{k} {'flood ' * (k % 5)}") for k in range(recipe.batch + 4)]
    cache, keys = ItemCache(tmp_path / "cache"), [f"{k:064}" for k in range(len(chosen))]
    items = dict(zip(keys, chosen, strict=True))
    assert sorted(run_local(recipe, items, cache, workers=2)) == keys
    entries = [cache.get(key) for key in keys]
    assert [entry.array.tobytes() for entry in entries if entry and entry.array is not None] == (
        bytes_of(opened(recipe), chosen, iter([list(range(len(chosen)))]))
    )
