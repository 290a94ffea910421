from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.extractors import ELMo
from pipeline.extractors.elmo import OPTIONS, WEIGHTS, ELMoEncoder
from pipeline.extractors.tokens import tokenize
from pipeline.features.cache import Entry
from pipeline.features.extract import item_key
from pipeline.features.recipe import Item
from pipeline.features.text import TextRecipe

Extract = Callable[[str, str], Entry]

TEXT = "Flood in #Houston: don't drive! 🌊"


def recipe(weights: Path, layer: str) -> TextRecipe:
    return TextRecipe(ELMoEncoder(weights / "text", layer))


@pytest.fixture
def extract(weights: Path, opened: Callable[..., Any]) -> Callable[[str, str], Entry]:
    return lambda layer, text: opened(recipe(weights, layer))([Item("a", text=text)])[0]


def test_the_layer_is_the_top_or_the_average(weights: Path, extract: Extract) -> None:
    elmo = ELMo.from_files(weights / "text" / OPTIONS, weights / "text" / WEIGHTS)
    (layers,) = elmo.embed([tokenize(TEXT)])
    top, average = (extract(layer, TEXT).array for layer in ("top", "average"))
    assert top is not None
    assert average is not None
    assert np.array_equal(top, layers[2])
    np.testing.assert_allclose(average, (layers[0] + layers[1] + layers[2]) / 3, atol=1e-6)
    assert top.shape == (len(tokenize(TEXT)), recipe(weights, "top").dim)


@pytest.mark.parametrize("text", ["", "  \n", "\u200b"])
def test_a_text_without_a_word_is_a_failure(extract: Extract, text: str) -> None:
    entry = extract("top", text)
    assert entry == Entry(None, ("empty_text", "no word in the text"))


def test_layer_options_and_weights_are_part_of_the_identity(weights: Path, tmp_path: Path) -> None:
    for other in ("options", "weights"):
        shutil.copytree(weights / "text", tmp_path / other)
    options = json.loads((weights / "text" / OPTIONS).read_text())
    (tmp_path / "options" / OPTIONS).write_text(json.dumps(options, indent=1))
    with (tmp_path / "weights" / WEIGHTS).open("ab") as file:
        file.write(b"\0")
    recipes = [
        recipe(weights, "top"),
        recipe(weights, "average"),
        TextRecipe(ELMoEncoder(tmp_path / "options", "top")),
        TextRecipe(ELMoEncoder(tmp_path / "weights", "top")),
        TextRecipe(ELMoEncoder(weights / "text", "top", "bfloat16")),
    ]
    item = Item("a", text=TEXT)
    assert len({item_key(r.modality, r.identity(), item) for r in recipes}) == len(recipes)


def test_a_long_text_is_cut_and_counted(extract: Extract) -> None:
    entry = extract("top", "flood " * 201)
    assert entry.array is not None
    assert len(entry.array) == 200
    assert entry.failure == ("long_text", "201 tokens; the first 200 are used")
