"""The published weights: fetched or given, verified, and converted for the encoders."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from pipeline import runtime
from pipeline.extractors import inception, soundnet
from pipeline.extractors.elmo_files import (
    SIZES,
    Options,
    published_options,
    read_elmo,
    read_options,
    tensor_shapes,
)
from pipeline.extractors.soundnet_files import read_soundnet
from pipeline.ground.temporaries import (
    remove_left_over,
    temporary_name,
    write_bytes,
    written_whole,
)
from pipeline.inputs.archive import read_members
from pipeline.inputs.fetch import CURE, FetchError, sha256_of
from pipeline.inputs.pins import Pin, fetch_pin, mirrored, read_pins
from pipeline.inputs.weight_files import check_shapes, read_state

PINS = Path("sources/weights.json")

# The pins of each network, by its name in the report.
NETWORKS = {
    "Inception V3": ("inception_v3",),
    **{f"ELMo {model}": (f"elmo_{model}_options", f"elmo_{model}_weights") for model in SIZES},
    "SoundNet-8": ("soundnet8",),
}

SOUNDNET_MEMBER = "soundnet8_final.t7"
MAX_SOUNDNET = 128 << 20  # bytes; the authors' file has about 60 MB

# Other files of the same network that the folder HGFN_WEIGHTS may hold, by pin.
ALTERNATIVES = {
    "soundnet8": (SOUNDNET_MEMBER, "sound8.npy", "soundnet8.safetensors", "soundnet8.pth")
}


def needed_networks(model: str) -> tuple[str, ...]:
    """Return the networks of `NETWORKS` that a run needs with ELMo's `model` of params.yaml."""
    return "Inception V3", f"ELMo {model}", "SoundNet-8"


def obtain_all(model: str) -> list[Path]:
    """Return the verified files of Inception V3, ELMo (options, weights) and SoundNet, in order.

    All are obtained before the first is converted. Raises ValueError for a file that is not the
    pinned one, FetchError for one that cannot be fetched.
    """
    pins = read_pins(PINS)
    names = [name for network in needed_networks(model) for name in NETWORKS[network]]
    return [obtain(name, pins[name]) for name in names]


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


def convert_inception(source: Path, path: Path) -> None:
    """Write the tensors that features depend on as safetensors; raises ValueError for others."""
    state = read_state(source)
    inception.build_network(state, source)
    _save(inception.without_classifiers(state), path)


def convert_soundnet(source: Path, path: Path) -> None:
    """Write SoundNet-8's tensors as safetensors, from its authors' archive or any known file."""
    remove_left_over(path.parent, of=path.name)
    folder = temporary_name(path)
    folder.mkdir()
    try:
        if source.suffix == ".zip":
            source = _unzip(source, folder)
        _save(soundnet.build_network(read_soundnet(source), source).state_dict(), path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_elmo(
    options: Path, weights: Path, model: str, options_path: Path, weights_path: Path
) -> None:
    """Copy ELMo's files after a check that they are those of `model`; raises ValueError."""
    expected = tensor_shapes(Options.model_validate(published_options(model)))
    check_shapes(options, f"ELMo's {model} model", tensor_shapes(read_options(options)), expected)
    read_elmo(options, weights)
    for source, path in ((options, options_path), (weights, weights_path)):
        with written_whole(path) as temporary:
            shutil.copyfile(source, temporary)


def _unzip(archive: Path, folder: Path) -> Path:
    members = list(read_members(archive, SOUNDNET_MEMBER.__eq__, limit=MAX_SOUNDNET))
    if len(members) != 1:
        raise ValueError(f"{archive}: holds {len(members)} files {SOUNDNET_MEMBER}, expected one")
    path = folder / SOUNDNET_MEMBER
    path.write_bytes(members[0][1])
    return path


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    write_bytes(path, save({n: tensor.float().contiguous() for n, tensor in tensors.items()}))


def weights_report(weights: str, model: str) -> Iterator[str]:
    """Yield the lines of `hgfn weights` for features.weights and features.text.model.

    Nothing is fetched or verified: that is done when a file is used.
    """
    pretrained = weights == "pretrained"
    yield f"features.weights: {weights}" + ("" if pretrained else ", which needs no file")
    pins = read_pins(PINS)
    for network, names in NETWORKS.items():
        needed = pretrained and network in needed_networks(model)
        yield ""
        yield f"{network}: {'needed' if needed else 'not needed'}; {pins[names[0]].licence}"
        for name in names:
            yield from _pin_lines(name, pins[name])


def _pin_lines(name: str, pin: Pin) -> Iterator[str]:
    given = find_given(name, pin) or (pin.path if pin.path.is_file() else None)
    place = f"here: {given}" if given else "not here"
    digest = "sha256 not published" if pin.sha256 is None else f"sha256 {pin.sha256[:8]}..."
    yield f"  {mirrored(pin.address)}"
    yield f"    {digest}, {place}"
    if pin.note:
        yield f"    {pin.note}"
    if name in ALTERNATIVES:
        yield f"    or, in the folder HGFN_WEIGHTS: {', '.join(ALTERNATIVES[name])}"
