from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.extractors import SoundNet
from pipeline.features.audio import AudioRecipe
from pipeline.features.extract import item_key
from pipeline.features.recipe import Item
from pipeline.media import read_waveform

RATE = 22_050


@pytest.fixture
def write_wav(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, seconds: float, pitch: float) -> Path:
        path = tmp_path / name
        t = np.arange(round(seconds * RATE)) / RATE
        sound = (20_000 * np.sin(2 * np.pi * pitch * t)).astype("<i2")
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(sound.tobytes())
        return path

    return write


@pytest.fixture
def recipe(weights: Path) -> AudioRecipe:
    return AudioRecipe(weights / "soundnet.safetensors", "conv7")


def test_features_are_the_networks_of_the_clips_sound(
    recipe: AudioRecipe, write_wav: Callable[..., Path], opened: Callable[..., Any]
) -> None:
    path = write_wav("a.wav", 4, 440)
    entry = opened(recipe)([Item("a", path=path, start=0.5, end=3.5)])[0]
    sound = read_waveform(path, start=0.5, end=3.5)
    expected = SoundNet.from_file(recipe.weights).features(sound.samples, layer="conv7")
    assert entry.array is not None
    assert entry.failure is None
    assert entry.array.tobytes() == expected.tobytes()
    assert entry.array.shape[1] == recipe.dim == 1024
    assert sound.samples.shape == (3 * RATE,)


@pytest.mark.parametrize(("layer", "dim"), [("conv5", 256), ("pool5", 256), ("conv6", 512)])
def test_each_layer_has_its_width_and_identity(
    recipe: AudioRecipe,
    write_wav: Callable[..., Path],
    opened: Callable[..., Any],
    layer: str,
    dim: int,
) -> None:
    other = AudioRecipe(recipe.weights, layer)
    item = Item("a", path=write_wav("a.wav", 1, 440))
    entry = opened(other)([item])[0]
    assert entry.array is not None
    assert entry.array.shape[1] == other.dim == dim
    keys = {item_key(r.modality, r.identity(), item) for r in (recipe, other)}
    assert len(keys) == 2
