"""Tweets and descriptions through ELMo."""

from __future__ import annotations

from pipeline.datasets.sets import data_set
from pipeline.features.text import TextRecipe
from pipeline.params import load_params
from stages.command import run
from stages.extraction import extract
from stages.weight_files import ELMO_OPTIONS, ELMO_WEIGHTS


def text(name: str) -> None:
    """Extract one data set's text features."""
    knobs = load_params().features.text
    recipe = TextRecipe(ELMO_OPTIONS, ELMO_WEIGHTS, knobs.layer, knobs.precision)
    extract(data_set(name), recipe, column="text")


if __name__ == "__main__":
    run(text)
