"""Photos and clips through Inception V3."""

from __future__ import annotations

from pipeline.datasets.sets import data_set
from pipeline.features.visual import ClipRecipe, PhotoRecipe
from pipeline.params import load_params
from stages.command import run
from stages.extraction import extract
from stages.weight_files import INCEPTION


def visual(name: str) -> None:
    """Extract one data set's visual features."""
    chosen, knobs = data_set(name), load_params().features.visual
    if chosen.visual == "photo":
        photo = PhotoRecipe(INCEPTION, knobs.size, knobs.precision)
        extract(chosen, photo, column="image")
    else:
        clip = ClipRecipe(INCEPTION, knobs.frames, knobs.size, knobs.precision)
        extract(chosen, clip, column="video")


if __name__ == "__main__":
    run(visual)
