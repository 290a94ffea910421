"""Soundtracks through SoundNet."""

from __future__ import annotations

from pipeline.features.audio import AudioRecipe
from pipeline.features.extract import extract
from pipeline.ground.command import run
from pipeline.ground.data_set import SOUNDNET, data_set
from pipeline.params import load_params


def audio(name: str) -> None:
    """Extract one data set's audio features."""
    params = load_params().features.audio
    extract(data_set(name), AudioRecipe(SOUNDNET, params.layer), column="audio")


if __name__ == "__main__":
    run(audio)
