"""Soundtracks through an encoder of waveforms."""

from __future__ import annotations

from pipeline.extractors.registry import open_encoder
from pipeline.features.audio import AudioRecipe
from pipeline.features.extract import extract
from pipeline.ground.command import run
from pipeline.ground.data_set import data_set, weights_folder
from pipeline.params import load_params


def audio(name: str) -> None:
    """Extract one data set's audio features."""
    encoder, origin = open_encoder("audio", load_params().features.audio, weights_folder("audio"))
    extract(data_set(name), AudioRecipe(encoder), origin)


if __name__ == "__main__":
    run(audio)
