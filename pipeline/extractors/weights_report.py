"""The lines of `hgfn weights`: each modality's encoder, its weights, and what can be fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline import runtime
from pipeline.extractors.elmo_files import SIZES
from pipeline.extractors.encoder import Origin
from pipeline.extractors.registry import named
from pipeline.extractors.weights import ALTERNATIVES, PINS, find_given
from pipeline.ground.data_set import MODALITIES, weights_folder
from pipeline.inputs.hub_pins import HUB, HubPin, given_folder, read_hub_pins
from pipeline.inputs.pins import Pin, mirrored, read_pins
from pipeline.params import EncoderParams, FeatureParams

# The pins of each published model of the paper's encoders, by modality, encoder and model.
NETWORKS = {
    ("visual", "inception_v3", ""): ("inception_v3",),
    **{("text", "elmo", size): (f"elmo_{size}_options", f"elmo_{size}_weights") for size in SIZES},
    ("audio", "soundnet", ""): ("soundnet8",),
}


def weights_report(features: FeatureParams) -> Iterator[str]:
    """Yield the lines for the section `features` of params.yaml.

    Nothing is fetched or verified: that is done when a file is used.
    """
    pins = read_pins(PINS)
    for modality in MODALITIES:
        params: EncoderParams = getattr(features, modality)
        yield f"{modality}: {params.encoder}, weights {params.weights}"
        yield f"  {_present(params, weights_folder(modality))}"
        for (owner, encoder, model), names in NETWORKS.items():
            if owner == modality:
                chosen = named(modality, params) == (encoder, model)
                needed = chosen and params.weights == "pretrained"
                title, licence = f"{encoder} {model}".strip(), pins[names[0]].licence
                yield f"  {title}: {'needed' if needed else 'not needed'}; {licence}"
                for name in names:
                    yield from _pin_lines(name, pins[name])
        yield ""
    encoders = {getattr(features, modality).encoder for modality in MODALITIES}
    yield "pinned repositories of the Hugging Face hub:"
    for name, pin in read_hub_pins(PINS).items():
        yield f"  {name}: {'needed' if name in encoders else 'not needed'}; {pin.licence}"
        yield from _hub_lines(pin)


def _present(params: EncoderParams, folder: Path) -> str:
    """Say what the stage `weights` has put into a modality's folder."""
    try:
        origin = Origin.of(folder)
    except ValueError as error:
        return str(error)
    megabytes = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6
    other = "" if origin.encoder == params.encoder else "; params.yaml has changed: dvc repro"
    note = f", {origin.note}" if origin.note else ""
    return (
        f"in {folder}: {origin.encoder}, {origin.weights}{note}, {megabytes:.1f} MB; "
        f"licence: {origin.licence}{other}"
    )


def _hub_lines(pin: HubPin) -> Iterator[str]:
    folder = given_folder(pin) or (pin.folder if pin.is_here() else None)
    place = f"here: {folder}" if folder else "not here"
    yield f"    {mirrored(f'{HUB}/{pin.repository}/tree/{pin.revision}')}"
    yield f"      {len(pin.files)} files, {runtime.size_text(pin.size)}, {place}"


def _pin_lines(name: str, pin: Pin) -> Iterator[str]:
    given = find_given(name, pin) or (pin.path if pin.path.is_file() else None)
    place = f"here: {given}" if given else "not here"
    digest = "sha256 not published" if pin.sha256 is None else f"sha256 {pin.sha256[:8]}..."
    yield f"    {mirrored(pin.address)}"
    yield f"      {digest}, {place}"
    if pin.note:
        yield f"      {pin.note}"
    if name in ALTERNATIVES:
        yield f"      or, in the folder HGFN_WEIGHTS: {', '.join(ALTERNATIVES[name])}"
