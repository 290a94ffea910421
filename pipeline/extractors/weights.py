"""Where weights come from: published files and models, fetched once, or files that are given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline import runtime
from pipeline.extractors.encoder import Origin
from pipeline.inputs.fetch import CURE, FetchError, sha256_of
from pipeline.inputs.hub_pins import HubPin, obtain_repository, read_hub_pins
from pipeline.inputs.pins import Pin, fetch_pin, read_pins

PINS = Path("sources/weights.json")

# Other files of the same network that the folder HGFN_WEIGHTS may hold, by pin.
ALTERNATIVES = {
    "soundnet8": ("soundnet8_final.t7", "sound8.npy", "soundnet8.safetensors", "soundnet8.pth")
}


def seeded(encoder: str) -> Origin:
    """Describe weights that are random numbers of a fixed seed."""
    return Origin(encoder, "untrained", "none: random numbers of a fixed seed")


def published(encoder: str, *names: str) -> tuple[list[Path], Origin]:
    """Return the verified files of an encoder's pins, in order, and where they come from.

    Raises ValueError for a file that is not the pinned one, FetchError for one that cannot be
    fetched.
    """
    pins = read_pins(PINS)
    files = [obtain(name, pins[name]) for name in names]
    note = ", ".join(file.name for file in files)
    return files, Origin(encoder, "pretrained", pins[names[0]].licence, note)


def given(encoder: str, *files: Path) -> Origin:
    """Describe files that params.yaml names, by their names and digests."""
    note = ", ".join(f"{file.name} (sha256 {sha256_of(file)})" for file in files)
    return Origin(encoder, "given", "that of the given file", note)


def one_file(encoder: str, name: str, weights: str) -> tuple[Path, Origin]:
    """Return the one file of an encoder, `weights` being pretrained or the file's path."""
    if weights == "pretrained":
        (path,), origin = published(encoder, name)
        return path, origin
    path = Path(weights).expanduser()
    if not path.is_file():
        raise ValueError(f"{path}: not a file; {encoder} takes one file of weights")
    return path, given(encoder, path)


def members(weights: str, *patterns: str) -> list[Path]:
    """Return the one file of a folder for each pattern; raises ValueError for none or several."""
    folder = Path(weights).expanduser()
    if not folder.is_dir():
        raise ValueError(f"{folder}: not a folder; expected one with {' and '.join(patterns)}")
    files = []
    for pattern in patterns:
        found = [path for path in sorted(folder.glob(pattern)) if path.is_file()]
        if len(found) != 1:
            raise ValueError(f"{folder}: holds {len(found)} files {pattern}, expected one")
        files += found
    return files


def obtain(name: str, pin: Pin) -> Path:
    """Return a pin's file from the folder HGFN_WEIGHTS, or else fetch it into the user's cache."""
    given = find_given(name, pin)
    if given is None:
        return _fetch(pin)
    if given.name == pin.name and not (digest := sha256_of(given)).startswith(pin.sha256 or ""):
        raise ValueError(
            f"{given}: sha256 is {digest}, expected {pin.sha256}; give the file of {pin.address}, "
            f"or correct {pin.where} if its authors published a new one"
        )
    return given


def find_given(name: str, pin: Pin) -> Path | None:
    """Return the file in the folder HGFN_WEIGHTS, under its own or an alternative name."""
    folder = runtime.weights_folder()
    if folder is None:
        return None
    candidates = (folder / file for file in (pin.name, *ALTERNATIVES.get(name, ())))
    return next((path for path in candidates if path.is_file()), None)


def _fetch(pin: Pin) -> Path:
    try:
        return fetch_pin(pin)
    except FetchError as error:
        if error.cure != CURE:
            raise
        cure = f"check the network, or put {pin.name} into a folder and set HGFN_WEIGHTS to it"
        raise FetchError(error.url, error.reason, cure) from None


@dataclass(frozen=True)
class ModelFolder:
    """A folder with a model's files; licence and revision are known of pinned ones."""

    path: Path
    licence: str | None = None
    note: str = ""


def model_folder(encoder: str) -> ModelFolder:
    """Return the folder of `hf:<folder or hub id>` or `timm:<folder or model>`.

    A pinned repository is fetched. Raises ValueError as `folder_or_pin` does, FetchError for what
    cannot be fetched.
    """
    found = folder_or_pin(encoder)
    if isinstance(found, Path):
        return ModelFolder(found)
    note = f"{found.repository} at revision {found.revision}"
    return ModelFolder(obtain_repository(found), found.licence, note)


def folder_or_pin(encoder: str) -> Path | HubPin:
    """Return the folder that `hf:...` or `timm:...` names, or else its pin; fetches nothing.

    Raises ValueError for a name that is neither.
    """
    name = encoder.partition(":")[2]
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    pin = read_hub_pins(PINS).get(encoder)
    if pin is None:
        raise ValueError(
            f"{encoder}: no folder {name!r}, and not pinned in {PINS}; for a model of the Hugging "
            f"Face hub run `hgfn weights --pin {encoder}`"
        )
    return pin
