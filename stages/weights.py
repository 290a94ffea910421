"""The weight files of the three extractors."""

from __future__ import annotations

import typer

from pipeline.extractors.pretrained import (
    convert_inception,
    convert_soundnet,
    copy_elmo,
    obtain_all,
)
from pipeline.extractors.untrained import write_elmo, write_inception, write_soundnet
from pipeline.ground.command import run
from pipeline.ground.data_set import ELMO_OPTIONS, ELMO_WEIGHTS, INCEPTION, SOUNDNET, WEIGHTS
from pipeline.params import load_params


def weights() -> None:
    """Write the published weights, or seeded, untrained ones in the same formats."""
    knobs = load_params().features
    model = knobs.text.model
    WEIGHTS.mkdir(parents=True, exist_ok=True)
    if knobs.weights == "pretrained":
        given = obtain_all(model)
        convert_inception(given["inception"], INCEPTION)
        copy_elmo(given["options"], given["weights"], model, ELMO_OPTIONS, ELMO_WEIGHTS)
        convert_soundnet(given["soundnet"], SOUNDNET)
    else:
        write_inception(INCEPTION)
        write_elmo(ELMO_OPTIONS, ELMO_WEIGHTS, model=model)
        write_soundnet(SOUNDNET)
    typer.echo(f"weights: {knobs.weights} Inception V3, ELMo {model}, SoundNet-8")


if __name__ == "__main__":
    run(weights)
