"""Encoders of transformers in worker processes: the same feature file however many there are."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import hf_audio_models
import numpy as np
import pytest
from hf_text_models import WORDS, save_xlm_roberta

from pipeline.extractors.hf_audio import HFAudio
from pipeline.extractors.hf_text import HFText
from pipeline.features.audio import AudioRecipe
from pipeline.features.cache import ItemCache
from pipeline.features.extract import extract_features, item_key
from pipeline.features.recipe import Item, Recipe
from pipeline.features.text import TextRecipe
from pipeline.features.worker import extractor

pytest.importorskip("transformers", reason="the extra `encoders` is not installed")
pytestmark = pytest.mark.heavy


def of_texts(folder: Path) -> tuple[Recipe, list[Item]]:
    """Texts of many lengths, more than a batch, so that two workers start."""
    recipe = TextRecipe(HFText(save_xlm_roberta(folder / "model")))
    numbers = range(recipe.batch + 2)
    return recipe, [Item(f"{k:03}", text=f"{k} {' '.join(WORDS[: k % 18])}") for k in numbers]


def of_sounds(folder: Path) -> tuple[Recipe, list[Item]]:
    """Sounds of several windows and rests."""
    recipe = AudioRecipe(HFAudio.of(hf_audio_models.save("ast", folder / "model"), None))
    items = []
    for k in range(4):
        path = folder / f"{k}.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, recipe.encoder.rate, 0, "NONE", ""))
            noise = np.random.default_rng(k).integers(-9000, 9000, 8_000 + 9_000 * k, np.int16)
            file.writeframes(noise.tobytes())
        items.append(Item(str(k), path=path))
    return recipe, items


@pytest.mark.slow
@pytest.mark.parametrize("make", [of_texts, of_sounds])
def test_two_workers_write_the_same_feature_file_as_one_process(
    make: Callable[[Path], tuple[Recipe, list[Item]]], tmp_path: Path
) -> None:
    recipe, items = make(tmp_path)
    identity, alone = recipe.identity(), ItemCache(tmp_path / "alone")
    # What a worker does, here: each process of its own takes seconds to import transformers.
    extractor(recipe, alone)([(item_key(recipe.modality, identity, item), item) for item in items])
    files = []
    for workers, cache in ((1, alone), (2, ItemCache(tmp_path / "two"))):
        files.append(tmp_path / f"{workers}.h5")
        assert not extract_features(recipe, items, [], files[-1], cache, workers)
    assert files[0].read_bytes() == files[1].read_bytes()
