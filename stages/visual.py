"""Photos and clips through Inception V3."""

from __future__ import annotations

from pipeline.features.extract import extract
from pipeline.features.visual import VisualRecipe
from pipeline.ground.command import run
from pipeline.ground.data_set import INCEPTION, data_set
from pipeline.params import load_params


def visual(name: str) -> None:
    """Extract one data set's visual features."""
    chosen, params = data_set(name), load_params().features.visual
    column, frames = ("image", None) if chosen.form == "tweets" else ("video", params.frames)
    extract(chosen, VisualRecipe(INCEPTION, params.size, frames, params.precision), column)


if __name__ == "__main__":
    run(visual)
