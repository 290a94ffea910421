"""The weight files of the three extractors."""

from __future__ import annotations

import typer

from pipeline.extractors.untrained import write_elmo, write_inception, write_soundnet
from pipeline.params import load_params
from stages.command import run
from stages.weight_files import ELMO_OPTIONS, ELMO_WEIGHTS, INCEPTION, SOUNDNET, WEIGHTS


def weights() -> None:
    """Write seeded, untrained weights in the official formats."""
    knobs = load_params().features
    WEIGHTS.mkdir(parents=True, exist_ok=True)
    write_inception(INCEPTION)
    write_elmo(ELMO_OPTIONS, ELMO_WEIGHTS, model=knobs.text.model)
    write_soundnet(SOUNDNET)
    typer.echo(f"weights: {knobs.weights} Inception V3, ELMo {knobs.text.model}, SoundNet-8")


if __name__ == "__main__":
    run(weights)
