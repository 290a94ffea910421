"""The weights of each modality's encoder."""

from __future__ import annotations

from pipeline.extractors.registry import obtain
from pipeline.ground.command import run
from pipeline.ground.data_set import MODALITIES, weights_folder
from pipeline.ground.messages import echo
from pipeline.params import load_params


def weights() -> None:
    """Write the published or given weights, or untrained ones of a fixed seed in the same formats.

    What is missing is reported for all modalities together.
    """
    features, origins, faults = load_params().features, [], []
    for modality in MODALITIES:
        try:
            origin = obtain(modality, getattr(features, modality), weights_folder(modality))
            origins.append(f"{modality} {origin.encoder} ({origin.weights})")
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise ValueError("\n".join(faults))
    echo(f"weights: {', '.join(origins)}")


if __name__ == "__main__":
    run(weights)
