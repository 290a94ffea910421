"""Photos and clips through Inception V3."""

from __future__ import annotations

from pipeline.features.extraction import extract
from pipeline.features.visual import ClipRecipe, PhotoRecipe
from pipeline.ground.command import run
from pipeline.ground.data_set import INCEPTION, data_set
from pipeline.params import load_params


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
