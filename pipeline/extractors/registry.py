"""The encoders of each modality: `features.<modality>.encoder` of params.yaml to a class."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.extractors.encoder import Origin
from pipeline.extractors.weights import folder_or_pin
from pipeline.ground.checked_yaml import did_you_mean
from pipeline.ground.temporaries import replaced_folder
from pipeline.params import ENCODER_DEFAULTS, EncoderParams


@dataclass(frozen=True)
class Entry:
    """An encoder's class, and what params.yaml is checked against without importing it.

    `settings` are the keys of `features.<modality>` that not every encoder has; `untrained` says
    that it can be made with seeded random weights; `library` is what it needs of the extra
    `encoders`. A name with a library is followed by a colon and the model: `hf:<folder or id>`.
    """

    place: str  # module of this package, and class
    settings: tuple[str, ...] = ()
    untrained: bool = False
    library: str | None = None

    def load(self) -> Any:
        """Import the class, an `Encoder`."""
        module, _, name = self.place.partition(":")
        return getattr(import_module(f"pipeline.extractors.{module}"), name)


ENCODERS: dict[str, dict[str, Entry]] = {
    "visual": {
        "inception_v3": Entry("inception:InceptionEncoder", settings=("size",), untrained=True),
        "hf": Entry("hf_vision:HFVisual", library="transformers"),
        "timm": Entry("timm_vision:TimmVisual", settings=("size",), library="timm"),
    },
    "text": {
        "elmo": Entry("elmo:ELMoEncoder", settings=("model", "layer"), untrained=True),
        "hf": Entry("hf_text:HFText", library="transformers"),
    },
    "audio": {
        "soundnet": Entry("soundnet:SoundNetEncoder", settings=("layer",), untrained=True),
        "hf": Entry("hf_audio:HFAudio", library="transformers"),
    },
}


def named(modality: str, params: EncoderParams) -> tuple[str, str]:
    """Return the name in `ENCODERS` and the model: what follows the colon, or ELMo's size."""
    name, _, model = params.encoder.partition(":")
    if "model" in ENCODERS[modality][name].settings:
        model = str(getattr(params, "model", ""))
    return name, model


def check_encoder(modality: str, params: EncoderParams) -> None:
    """Raise ValueError, naming the key, if encoder, weights and settings do not fit together.

    Imports no network. Of weights that are given, only the path is looked at.
    """
    section, (name, colon, model) = f"features.{modality}", params.encoder.partition(":")
    entry = ENCODERS[modality].get(name)
    if entry is None or bool(colon) != bool(entry.library) or (colon and not model):
        known = [n + ":<model>" * bool(e.library) for n, e in ENCODERS[modality].items()]
        close = did_you_mean(name, ENCODERS[modality])
        raise ValueError(
            f"{section}.encoder is {params.encoder!r}{close}; allowed: {', '.join(known)}"
        )
    for key, default in ENCODER_DEFAULTS[modality].items():
        value = getattr(params, key, default)
        if value != default and key not in entry.settings:
            raise ValueError(
                f"{section}.{key} is {value}, but {name} has no {key}; set it to {default}"
            )
    _check_weights(f"{section}.weights", params.weights, entry, params.encoder)
    # A checkpoint is enough for timm's networks, which timm itself describes.
    if name == "hf" or (entry.library and params.weights == "pretrained"):
        folder_or_pin(params.encoder)
    check_library(modality, params)


def check_library(modality: str, params: EncoderParams) -> None:
    """Raise ValueError, naming the key, if an encoder's library is not installed."""
    library = ENCODERS[modality][named(modality, params)[0]].library
    if library and find_spec(library) is None:
        raise ValueError(
            f"features.{modality}.encoder is {params.encoder!r}, which needs {library}: "
            'pip install -e ".[encoders]"'
        )


def _check_weights(key: str, weights: str, entry: Entry, encoder: str) -> None:
    if weights == "untrained" and not entry.untrained:
        raise ValueError(
            f"{key} is untrained, but {encoder} only comes with weights; set {key} to pretrained"
        )
    if weights in ("untrained", "pretrained") or Path(weights).expanduser().exists():
        return
    raise ValueError(
        f"{key} is {weights!r}, no such file or folder; allowed: untrained, pretrained, or a path"
    )


def obtain(modality: str, params: EncoderParams, folder: Path) -> Origin:
    """Fill a modality's folder of weights with all that its encoder needs.

    Raises ValueError in one line that names the key; then the folder does not change.
    """
    name, model = named(modality, params)
    try:
        with replaced_folder(folder) as temporary:
            origin: Origin = (
                ENCODERS[modality][name].load().obtain(model, params.weights, temporary)
            )
            origin.write(temporary)
    except ValueError as error:
        raise ValueError(f"features.{modality}.weights: {error}") from None
    return origin


def open_encoder(modality: str, params: EncoderParams, folder: Path) -> tuple[Any, Origin]:
    """Return the encoder whose weights are in a folder, and where they come from.

    Raises ValueError if the folder is not that of the encoder in `params`.
    """
    origin = Origin.of(folder)
    if origin.encoder != params.encoder:
        raise ValueError(
            f"{folder}: weights of {origin.encoder}, but features.{modality}.encoder is "
            f"{params.encoder!r}; run the weights stage first"
        )
    return ENCODERS[modality][named(modality, params)[0]].load().of(folder, params), origin
