"""The folder of a model that params.yaml names: one of the user's own, or a pinned one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.extractors.weights import PINS
from pipeline.inputs.hub_pins import obtain_repository, read_hub_pins


@dataclass(frozen=True)
class ModelFolder:
    """A folder with a model's files; licence and revision are known of pinned ones."""

    path: Path
    licence: str | None = None
    note: str = ""


def model_folder(encoder: str) -> ModelFolder:
    """Return the folder of `hf:<folder or hub id>` or `timm:<folder or model>`.

    A folder that exists comes first; a hub id must be pinned, and is fetched. Raises ValueError for
    a name that is neither, FetchError for what cannot be fetched.
    """
    source = encoder.partition(":")[2]
    own = Path(source).expanduser()
    if own.is_dir():
        return ModelFolder(own)
    pin = read_hub_pins(PINS).get(encoder)
    if pin is None:
        raise ValueError(
            f"{encoder}: no folder {source!r}, and not pinned in {PINS}; for a model of the "
            f"Hugging Face hub run `hgfn weights --pin {encoder}`"
        )
    note = f"{pin.repository} at revision {pin.revision}"
    return ModelFolder(obtain_repository(pin), pin.licence, note)
