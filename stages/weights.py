"""The weight files of the three extractors."""

from __future__ import annotations

from pipeline.extractors.untrained import write_elmo, write_inception, write_soundnet
from pipeline.extractors.weights import (
    convert_inception,
    convert_soundnet,
    copy_elmo,
    obtain_all,
)
from pipeline.ground.command import run
from pipeline.ground.data_set import ELMO_OPTIONS, ELMO_WEIGHTS, INCEPTION, SOUNDNET, WEIGHTS
from pipeline.ground.messages import echo
from pipeline.params import load_params


def weights() -> None:
    """Write the published weights, or untrained ones of a fixed seed in the same formats."""
    features = load_params().features
    model = features.text.model
    WEIGHTS.mkdir(parents=True, exist_ok=True)
    if features.weights == "pretrained":
        inception, options, values, soundnet = obtain_all(model)
        convert_inception(inception, INCEPTION)
        copy_elmo(options, values, model, ELMO_OPTIONS, ELMO_WEIGHTS)
        convert_soundnet(soundnet, SOUNDNET)
    else:
        write_inception(INCEPTION)
        write_elmo(ELMO_OPTIONS, ELMO_WEIGHTS, model=model)
        write_soundnet(SOUNDNET)
    echo(f"weights: {features.weights} Inception V3, ELMo {model}, SoundNet-8")


if __name__ == "__main__":
    run(weights)
