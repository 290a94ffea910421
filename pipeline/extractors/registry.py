"""The encoders of each modality: `features.<modality>.encoder` of params.yaml to a class."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import cast

from pipeline.extractors.encoder import Encoder


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

    def load(self) -> type[Encoder]:
        """Import the class."""
        module, _, name = self.place.partition(":")
        return cast(type[Encoder], getattr(import_module(f"pipeline.extractors.{module}"), name))


ENCODERS: dict[str, dict[str, Entry]] = {
    "visual": {
        "inception_v3": Entry("inception:InceptionEncoder", settings=("size",), untrained=True),
        "hf": Entry("hf_vision:HFVisual", library="transformers"),
        "timm": Entry("timm_vision:TimmVisual", settings=("size",), library="timm"),
    },
    "text": {
        "elmo": Entry("elmo:ELMoEncoder", settings=("model", "layer"), untrained=True),
    },
    "audio": {
        "soundnet": Entry("soundnet:SoundNetEncoder", settings=("layer",), untrained=True),
    },
}
