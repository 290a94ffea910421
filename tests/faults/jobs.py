"""The work that is killed: extractions and downloads small enough for hundreds of tries."""

from __future__ import annotations

import os
import signal
import time
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.datasets.download import fill_raw
from pipeline.extractors.soundnet import SoundNetEncoder
from pipeline.features.audio import AudioRecipe
from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract_features
from pipeline.features.recipe import Decoded, Identity, Item, Network, Recipe
from pipeline.inputs.feature_file import write_features
from pipeline.mtl import Task
from pipeline.params import FusionParams, MTLParams, TrainParams
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.examples import Examples
from pipeline.training.members import train_members
from pipeline.training.model import ModelSpec, save_model

SECONDS = 0.002  # of an item of the toy


@dataclass(frozen=True)
class ToyRecipe(Recipe):
    """Features are the text's letters; what is extracted, and by whom, is noted in `log`."""

    log: Path
    modality: ClassVar[str] = "text"
    batch: ClassVar[int] = 4
    gpu: ClassVar[bool] = False
    dim: ClassVar[int] = 3

    def identity(self) -> Identity:
        return {"version": "1"}

    def read(self, item: Item) -> Decoded:
        with self.log.open("a") as log:
            log.write(f"{os.getpid()} {item.id}\n")
        time.sleep(SECONDS)
        text = item.text or ""
        return Decoded(None, ("decode_failed", "a failure")) if "failure" in text else Decoded(text)

    def network(self) -> Network:
        return lambda texts: [self._letters(text) for text in texts]

    def _letters(self, text: str) -> np.ndarray:
        return np.repeat(np.frombuffer(text.encode(), np.uint8).astype(np.float32)[:, None], 3, 1)


def toy(folder: Path, count: int, workers: int = 1) -> None:
    """Extract `count` texts, every ninth with a failure."""
    items = [
        Item(f"{k:03}", text=f"{'failure' if k % 9 == 8 else 'flood'} {k} {'x' * (k % 5)}")
        for k in range(count)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    extract(ToyRecipe(folder / "log.txt"), items, folder, workers)


def sound(folder: Path, weights: Path) -> None:
    """Extract eight sounds with SoundNet."""
    inputs = folder.parent / "sounds"
    recipe = AudioRecipe(SoundNetEncoder(weights))
    extract(recipe, [Item(p.stem, path=p) for p in sorted(inputs.iterdir())], folder, workers=1)


def extract(recipe: Recipe, items: Sequence[Item], folder: Path, workers: int) -> None:
    cache = ItemCache(folder / "cache")
    extract_features(recipe, items, ["absent"], folder / "out" / "text.h5", cache, workers)


def pack(folder: Path, count: int, last: int) -> None:
    """Pack `count` arrays; killed when array number `last` is loaded."""

    def arrays() -> Iterator[tuple[str, np.ndarray]]:
        for number in range(count):
            if number == last:
                os.kill(os.getpid(), signal.SIGKILL)
            yield f"{number:02}", np.full((50, 1000), number, np.float32)

    write_features(folder / "out.h5", arrays(), 1000, {})


def write_sounds(folder: Path) -> None:
    """Write the eight sounds, half a second to 1.2 seconds of noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(8):
        with wave.open(str(folder / f"{k}.wav"), "wb") as file:
            file.setparams((1, 2, 22050, 0, "NONE", ""))
            noise = rng.integers(-9000, 9000, 11025 + 2205 * k, dtype=np.int16)
            file.writeframes(noise.tobytes())


def download(folder: Path) -> None:
    """Copy three clips named by a manifest to where raw data lie."""
    fill_raw("youtube", str(folder.parent / "source" / "manifest.csv"), folder / "raw")


def training(folder: Path, epochs: int) -> None:
    """Train a small network with a checkpoint after each epoch, and write what it learnt."""
    rng, rows = np.random.default_rng(0), 20
    split = np.array([("train", "val")[k % 2] for k in range(rows)])
    noise = [rng.normal(size=(1, 3)).astype(np.float32) for _ in range(rows)]
    targets = {"flood": rng.integers(0, 2, rows)}
    examples = Examples([f"{k:02}" for k in range(rows)], split, {"text": noise}, targets)
    fusion, mtl = (
        FusionParams(name="cfc", theta=0.5, width=4),
        MTLParams(name="lsew", alpha=1.0, beta=2.0),
    )
    spec = ModelSpec({"text": 3}, "pooled", (Task("flood", ("no", "yes"), "no"),), fusion, mtl, 0.5)
    params = TrainParams(
        learning_rate=0.1,
        batch_size=4,
        max_epochs=epochs,
        patience=epochs,
        dropout=0.5,
        weight_decay=0.0,
        monitor="loss",
        modalities=["text"],
    )
    checkpoint = Checkpoint(folder / "checkpoints", "k", 0.0, notify=lambda message: None)
    log: list[str] = []
    trained = train_members(
        spec,
        examples,
        params,
        seed=0,
        checkpoints=[checkpoint],
        log=lambda epoch, values: log.append(f"{epoch} {values}\n"),
    )
    save_model(folder / "model", trained.networks, spec, epochs=log)
    checkpoint.remove()


def argument(value: int | str) -> int | Path:
    """Read a job's argument: a number, or a path."""
    return value if isinstance(value, int) else Path(value)
