from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.extractors import SoundNet
from pipeline.extractors.soundnet import FILE, SoundNetEncoder
from pipeline.features.audio import AudioRecipe
from pipeline.features.extract import item_key
from pipeline.features.recipe import Item
from pipeline.media import read_waveform


@pytest.fixture
def recipe(weights: Path) -> AudioRecipe:
    return AudioRecipe(SoundNetEncoder(weights / "audio"))


@pytest.fixture
def item(real_items: dict[str, list[Item]]) -> Item:
    """A second of noise."""
    return real_items["sound"][-1]


def test_features_are_the_networks_of_the_clips_sound(
    recipe: AudioRecipe, item: Item, opened: Callable[..., Any]
) -> None:
    entry = opened(recipe)([replace(item, start=0.2, end=0.8)])[0]
    sound = read_waveform(item.file, start=0.2, end=0.8)
    expected = SoundNet.from_file(recipe.encoder.folder / FILE).features(
        sound.samples, layer="conv7"
    )
    assert entry.array is not None
    assert entry.failure is None
    assert entry.array.tobytes() == expected.tobytes()
    assert entry.array.shape[1] == recipe.dim == 1024
    assert len(sound.samples) == round(0.6 * sound.rate)


@pytest.mark.parametrize(("layer", "dim"), [("conv5", 256), ("pool5", 256), ("conv6", 512)])
def test_each_layer_has_its_width_and_identity(
    recipe: AudioRecipe, item: Item, opened: Callable[..., Any], layer: str, dim: int
) -> None:
    other = AudioRecipe(SoundNetEncoder(recipe.encoder.folder, layer))
    entry = opened(other)([item])[0]
    assert entry.array is not None
    assert entry.array.shape[1] == other.dim == dim
    keys = {item_key(r.modality, r.identity(), item) for r in (recipe, other)}
    assert len(keys) == 2
