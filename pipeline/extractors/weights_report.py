"""`hgfn weights`: the published files, from where, on which terms, and which of them are here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.datasets.http.mirror import mirrored
from pipeline.datasets.http.pins import read_pins
from pipeline.extractors.obtain import download_path, find_given
from pipeline.extractors.published import ELMO, INCEPTION, SOUNDNET, PublishedFile
from pipeline.params import load_params


def weights_report() -> Iterator[str]:
    """Yield the lines of the report; raises ValueError for wrong settings.

    Nothing is fetched, and no digest is computed: that is done where a file is used.
    """
    features = load_params().features
    needed = features.weights == "pretrained"
    yield f"features.weights: {features.weights}" + ("" if needed else ", which needs no file")
    for title, files in _networks().items():
        used = needed and title in ("Inception V3", f"ELMo {features.text.model}", "SoundNet-8")
        yield ""
        yield f"{title}: {'needed' if used else 'not needed'}; {files[0].licence}"
        for file in files:
            yield from _lines(file)


def _networks() -> dict[str, tuple[PublishedFile, ...]]:
    elmo = {f"ELMo {model}": files for model, files in ELMO.items()}
    return {"Inception V3": (INCEPTION,), **elmo, "SoundNet-8": (SOUNDNET,)}


def _lines(file: PublishedFile) -> Iterator[str]:
    yield f"  {mirrored(file.url)}"
    yield f"    {_size(file.size)}, {_digest(file)}, {_place(file)}"
    if file.instead:
        yield f"    or, in the folder HGFN_WEIGHTS: {', '.join(file.instead)}"


def _size(size: int | None) -> str:
    if size is None:
        return "of a size that is not stated"
    return f"about {size / 1e6:,.0f} MB" if size >= 1e6 else f"{size} bytes"


def _digest(file: PublishedFile) -> str:
    pin = read_pins().get(file.url)
    if pin:
        return f"sha256 {pin['sha256'][:8]}... since its first use"
    return f"sha256 {file.prefix}... as published" if file.prefix else "sha256 kept at first use"


def _place(file: PublishedFile) -> str:
    kept: Path = download_path(file)
    given = find_given(file) or (kept if kept.is_file() else None)
    return f"here: {given}" if given else "not here"
