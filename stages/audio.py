"""Soundtracks through SoundNet."""

from __future__ import annotations

from pipeline.datasets.sets import data_set
from pipeline.features.audio import AudioRecipe
from pipeline.params import load_params
from stages.command import run
from stages.extraction import extract
from stages.weight_files import SOUNDNET


def audio(name: str) -> None:
    """Extract one data set's audio features."""
    knobs = load_params().features.audio
    extract(data_set(name), AudioRecipe(SOUNDNET, knobs.layer), column="audio")


if __name__ == "__main__":
    run(audio)
