"""Photos and clips through an encoder of pictures."""

from __future__ import annotations

from pipeline.extractors.registry import open_encoder
from pipeline.features.extract import extract
from pipeline.features.items import reader_of
from pipeline.features.visual import VisualRecipe
from pipeline.ground.command import run
from pipeline.ground.data_set import data_set, weights_folder
from pipeline.inputs.parquet import read_table
from pipeline.params import load_params


def visual(name: str) -> None:
    """Extract one data set's visual features."""
    chosen, params = data_set(name), load_params().features.visual
    reader = reader_of(read_table(chosen.index))
    encoder, origin = open_encoder("visual", params, weights_folder("visual"))
    extract(chosen, VisualRecipe(encoder, params.frames, reader), origin)


if __name__ == "__main__":
    run(visual)
