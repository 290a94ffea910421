"""Tweets and descriptions through ELMo."""

from __future__ import annotations

from pipeline.features.extract import extract
from pipeline.features.text import TextRecipe
from pipeline.ground.command import run
from pipeline.ground.data_set import ELMO_OPTIONS, ELMO_WEIGHTS, data_set
from pipeline.params import load_params


def text(name: str) -> None:
    """Extract one data set's text features."""
    params = load_params().features.text
    recipe = TextRecipe(ELMO_OPTIONS, ELMO_WEIGHTS, params.layer, params.precision)
    extract(data_set(name), recipe, column="text")


if __name__ == "__main__":
    run(text)
