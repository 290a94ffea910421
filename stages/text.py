"""Tweets and descriptions through an encoder of texts."""

from __future__ import annotations

from pipeline.extractors.registry import open_encoder
from pipeline.features.extract import extract
from pipeline.features.text import TextRecipe
from pipeline.ground.command import run
from pipeline.ground.data_set import data_set, weights_folder
from pipeline.params import load_params


def text(name: str) -> None:
    """Extract one data set's text features."""
    encoder, origin = open_encoder("text", load_params().features.text, weights_folder("text"))
    extract(data_set(name), TextRecipe(encoder), origin)


if __name__ == "__main__":
    run(text)
