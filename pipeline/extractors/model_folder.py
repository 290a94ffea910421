"""The folder of a model that params.yaml names: one of the user's own, or a pinned one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.extractors.encoder import Origin
from pipeline.extractors.hf_folder import copy_folder, licence
from pipeline.extractors.weights import PINS, given
from pipeline.inputs.hub_pins import obtain_repository, read_hub_pins


@dataclass(frozen=True)
class ModelFolder:
    """A folder with a model's files; licence and revision are known of pinned ones."""

    path: Path
    licence: str | None = None
    note: str = ""


def require_known(encoder: str) -> None:
    """Raise ValueError for a name that `model_folder` would refuse; nothing is fetched."""
    if not _own(encoder).is_dir() and encoder not in read_hub_pins(PINS):
        raise _unknown(encoder)


def _own(encoder: str) -> Path:
    return Path(encoder.partition(":")[2]).expanduser()


def _unknown(encoder: str) -> ValueError:
    return ValueError(
        f"{encoder}: no folder {encoder.partition(':')[2]!r}, and not pinned in {PINS}; for a "
        f"model of the Hugging Face hub run `hgfn weights --pin {encoder}`"
    )


def model_folder(encoder: str) -> ModelFolder:
    """Return the folder of `hf:<folder or hub id>` or `timm:<folder or model>`.

    A folder that exists comes first; a hub id must be pinned, and is fetched. Raises ValueError for
    a name that is neither, FetchError for what cannot be fetched.
    """
    own = _own(encoder)
    if own.is_dir():
        return ModelFolder(own)
    pin = read_hub_pins(PINS).get(encoder)
    if pin is None:
        raise _unknown(encoder)
    note = f"{pin.repository} at revision {pin.revision}"
    return ModelFolder(obtain_repository(pin), pin.licence, note)


def fill_folder(encoder: str, weights: str, folder: Path) -> Origin:
    """Copy the model of `hf:<folder or hub id>` into an empty folder; return where it comes from.

    Its own tensors, unless `weights` is not pretrained but a .safetensors of the same architecture.
    Raises ValueError where a file is missing.
    """
    model = model_folder(encoder)
    if weights != "pretrained":
        file = Path(weights).expanduser()
        copy_folder(model.path, folder, file)
        return given(encoder, file)
    copy_folder(model.path, folder)
    return Origin(encoder, "pretrained", model.licence or licence(model.path), model.note)
