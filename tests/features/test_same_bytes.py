"""An item's bytes, whatever shares its batch, in whichever order, and with however many threads."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.features.cache import ItemCache
from pipeline.features.local import run_local
from pipeline.features.recipe import Item, Recipe
from pipeline.features.steps import in_turn
from pipeline.features.text import TextRecipe
from pipeline.features.visual import ClipRecipe, PhotoRecipe

SIZE = 80
TEXT = "Flood in #Houston: don't drive! The water rose, and nobody knows how far it will go"

Make = Callable[[Path, str], Recipe]
RECIPES: dict[str, Make] = {
    "photo": lambda folder, precision: PhotoRecipe(
        folder / "inception.safetensors", SIZE, precision
    ),
    "clip": lambda folder, precision: ClipRecipe(
        folder / "inception.safetensors", 3, SIZE, precision
    ),
    "text": lambda folder, precision: TextRecipe(
        folder / "options.json", folder / "weights.hdf5", "average", precision
    ),
}


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Item]]:
    folder, rng = tmp_path_factory.mktemp("items"), np.random.default_rng(0)
    photos, clips = [], []
    for number in range(5):
        photos.append(folder / f"{number}.png")
        pixels = rng.integers(0, 256, (90 + 7 * number, 120, 3), np.uint8)
        Image.fromarray(pixels).save(photos[-1])
        clips.append(folder / f"{number}.mp4")
        write_clip(clips[-1], rng, frames=4 + number)
    return {
        "photo": [Item(path.stem, path=path) for path in photos],
        "clip": [Item(path.stem, path=path) for path in clips],
        "text": [Item(str(n), text=TEXT[: 3 * n] + "!") for n in range(24)],
    }


def write_clip(path: Path, rng: np.random.Generator, frames: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p"
        for _ in range(frames):
            noise = rng.integers(0, 256, (80, 96, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode())


def groups(count: int, seed: int) -> Iterator[list[int]]:
    """Shuffle and cut into groups of random sizes."""
    chance = random.Random(seed)
    order = chance.sample(range(count), count)
    while order:
        size = chance.randint(1, len(order))
        yield order[:size]
        order = order[size:]


def bytes_of(recipe: Recipe, items: Sequence[Item], parts: Iterator[list[int]]) -> list[bytes]:
    run, found = in_turn(recipe), dict[int, bytes]()
    for part in parts:
        for index, entry in zip(part, run([items[k] for k in part]), strict=True):
            assert entry.array is not None
            found[index] = entry.array.tobytes()
    return [found[index] for index in range(len(items))]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", RECIPES)
def test_an_item_has_the_same_bytes_however_items_are_grouped(
    weights: Path, items: dict[str, list[Item]], kind: str, precision: str
) -> None:
    recipe, chosen = RECIPES[kind](weights, precision), items[kind]
    together = bytes_of(recipe, chosen, iter([list(range(len(chosen)))]))
    assert len(set(together)) == len(chosen)
    for seed in range(3):
        assert bytes_of(recipe, chosen, groups(len(chosen), seed)) == together


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", RECIPES)
def test_an_item_has_the_same_bytes_whatever_the_process_computed_before(
    weights: Path, items: dict[str, list[Item]], kind: str, precision: str
) -> None:
    recipe, item = RECIPES[kind](weights, precision), items[kind][-1]
    alone = bytes_of(recipe, [item], iter([[0]]))
    before = torch.randn(64, 300) @ torch.randn(300, 7)
    torch.nn.functional.conv2d(torch.randn(3, 8, 50, 50), torch.randn(8, 8, 3, 3))
    assert before.isfinite().all()
    assert bytes_of(recipe, [item], iter([[0]])) == alone


@pytest.fixture
def two_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", RECIPES)
@pytest.mark.usefixtures("two_threads")
def test_an_item_has_the_same_bytes_however_many_threads_the_process_has(
    weights: Path, items: dict[str, list[Item]], tmp_path: Path, kind: str, precision: str
) -> None:
    recipe, item = RECIPES[kind](weights, precision), items[kind][0]
    cache = ItemCache(tmp_path)
    assert list(run_local(recipe, {"a" * 64: item}, cache, workers=1)) == ["a" * 64]
    assert torch.get_num_threads() == 2
    entry = cache.get("a" * 64)
    assert entry is not None
    assert entry.array is not None
    torch.set_num_threads(1)
    assert [entry.array.tobytes()] == bytes_of(recipe, [item], iter([[0]]))
