"""What the tests of extraction share."""

from __future__ import annotations

import sys
import wave
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.extractors.elmo import ELMoEncoder
from pipeline.extractors.inception import InceptionEncoder
from pipeline.extractors.soundnet import SoundNetEncoder
from pipeline.features.audio import AudioRecipe
from pipeline.features.cache import Entry, ItemCache
from pipeline.features.recipe import Item, Recipe
from pipeline.features.text import TextRecipe
from pipeline.features.visual import VisualRecipe
from pipeline.features.worker import extractor


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the modules beside the tests importable, for spawned workers too: they get the path."""
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parent), *sys.path])


@pytest.fixture
def fake(tmp_path: Path, beside: None) -> Callable[..., Any]:
    from fake_recipe import FakeRecipe

    def make(**options: Any) -> FakeRecipe:
        return FakeRecipe(tmp_path / "log.txt", **options)

    return make


@pytest.fixture
def cache(tmp_path: Path) -> ItemCache:
    return ItemCache(tmp_path / "cache")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "features" / "text.h5"


@pytest.fixture
def deadly(tmp_path: Path, beside: None) -> Callable[..., Any]:
    from fake_recipe import DeadlyRecipe

    return lambda **options: DeadlyRecipe(tmp_path / "log.txt", tmp_path / "crashes", **options)


@pytest.fixture
def extracted(tmp_path: Path) -> Callable[[], list[str]]:
    """Ids that the fake recipe extracted since the last call."""

    def read() -> list[str]:
        log = tmp_path / "log.txt"
        ids = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return sorted(ids)

    return read


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[Recipe], Callable[[Sequence[Item]], list[Entry]]]:
    """Open a recipe as a worker does; the function returned gives an entry an item."""

    def open_recipe(recipe: Recipe) -> Callable[[Sequence[Item]], list[Entry]]:
        cache = ItemCache(tmp_path / "entries")
        extract = extractor(recipe, cache)

        def run(items: Sequence[Item]) -> list[Entry]:
            keys = [f"{number:064}" for number in range(len(items))]
            extract(list(zip(keys, items, strict=True)))
            return [entry for key in keys if (entry := cache.get(key)) is not None]

        return run

    return open_recipe


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three untrained networks at full size, in a folder a modality."""
    folder = tmp_path_factory.mktemp("weights")
    encoders = {"visual": InceptionEncoder, "text": ELMoEncoder, "audio": SoundNetEncoder}
    for modality, encoder in encoders.items():
        (folder / modality).mkdir()
        encoder.obtain("small" if modality == "text" else "", "untrained", folder / modality)
    return folder


SIZE = 80
TEXT = "Flood in #Houston: don't drive! The water rose, and nobody knows how far it will go"


@pytest.fixture
def real_recipe(weights: Path) -> Callable[..., Recipe]:
    """The recipe of one kind of item: a network of full size, and pictures as small as it takes."""

    def make(kind: str, precision: str = "float32") -> Recipe:
        inception = InceptionEncoder(weights / "visual", SIZE, precision)
        made: dict[str, Callable[[], Recipe]] = {
            "photo": lambda: VisualRecipe(inception),
            "clip": lambda: VisualRecipe(inception, 3),
            "sound": lambda: AudioRecipe(SoundNetEncoder(weights / "audio")),
            "text": lambda: TextRecipe(ELMoEncoder(weights / "text", "average", precision)),
        }
        return made[kind]()

    return make


@pytest.fixture(scope="session")
def real_items(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Item]]:
    """Five items of each kind, 24 texts, all of different sizes."""
    folder, rng = tmp_path_factory.mktemp("items"), np.random.default_rng(0)
    for number in range(5):
        pixels = rng.integers(0, 256, (90 + 7 * number, 120, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        write_film(folder / f"{number}.mkv", rng, frames=4 + number)
        write_noise(folder / f"{number}.wav", rng, samples=11_025 + 3_001 * number)
    suffixes = {"photo": "png", "clip": "mkv", "sound": "wav"}
    files = {kind: sorted(folder.glob(f"*.{suffix}")) for kind, suffix in suffixes.items()}
    items = {kind: [Item(path.stem, path=path) for path in files[kind]] for kind in files}
    return {**items, "text": [Item(f"{n:02}", text=TEXT[: 3 * n] + "!") for n in range(24)]}


def write_film(path: Path, rng: np.random.Generator, frames: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p"
        for _ in range(frames):
            noise = rng.integers(0, 256, (80, 96, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode())


def write_noise(path: Path, rng: np.random.Generator, samples: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 22_050, 0, "NONE", ""))
        file.writeframes(rng.integers(-9000, 9000, samples, np.int16).tobytes())


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Equal bytes are promised for one thread, as in a worker."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
