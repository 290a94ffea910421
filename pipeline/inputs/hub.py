"""The hub's answer about a repository, and the pin that follows from it."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, Field

from pipeline import runtime
from pipeline.ground.temporaries import write_text
from pipeline.inputs.fetch import FetchError, fetch
from pipeline.inputs.hub_pins import (
    FILE_NAME,
    HUB,
    REPOSITORY,
    SETTINGS,
    HubEntry,
    HubFile,
    accept,
    explained,
    fetch_from_hub,
    hub_token,
)
from pipeline.inputs.json_files import read_json
from pipeline.inputs.pins import HUB_KEYS, mirrored

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARD = r"model-\d{5}-of-\d{5}\.safetensors"


class _Lfs(BaseModel):
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int


class _Sibling(BaseModel):
    rfilename: str
    size: int | None = None
    lfs: _Lfs | None = None


class _Model(BaseModel):
    """What we read of the hub's answer; it has more."""

    sha: str = Field(pattern="^[0-9a-f]{40}$")
    gated: bool | str = False
    cardData: dict[str, Any] | None = None  # noqa: N815 - the hub's name
    siblings: list[_Sibling]


def pin_repository(path: Path, key: str, revision: str | None = None) -> HubEntry:
    """Write the pin of `hf:<hub id>` or `timm:<model>` to the pins at `path`, and return it.

    `revision` is a commit, branch or tag; the newest by default. The hub states the sha256 of large
    files; small ones are fetched and hashed. Raises ValueError for a key of another form or a
    repository without safetensors, FetchError where the hub refuses.
    """
    repository = repository_of(key)
    model = _ask(repository, revision)
    siblings = {file.rfilename: file for file in model.siblings}
    names = needed_files(siblings, f"{key} at revision {model.sha}")
    with tempfile.TemporaryDirectory() as folder:
        files = {
            name: _file(repository, model.sha, siblings[name], Path(folder) / name)
            for name in names
        }
    entry = HubEntry(
        repository=repository,
        revision=model.sha,
        licence=licence(model.cardData or {}) + (", gated" if model.gated else ""),
        files=files,
    )
    pins = read_json(path, dict[str, Any])
    pins[key] = entry.model_dump(exclude_defaults=True)
    write_text(path, json.dumps(pins, indent=2, ensure_ascii=False) + "\n")
    return entry


def pin_lines(path: Path, key: str, revision: str | None) -> Iterator[str]:
    """Pin a repository (see `pin_repository`); yield what `hgfn weights --pin` prints."""
    entry = pin_repository(path, key, revision)
    size = runtime.size_text(sum(file.size for file in entry.files.values()))
    yield f"{key}: {entry.repository} at {entry.revision}, {entry.licence}"
    yield f"{len(entry.files)} files, {size}, written to {path}; commit it to work with others"


def repository_of(key: str) -> str:
    """Return the hub's name of a key's repository; timm's models are in one account there."""
    kind, _, name = key.partition(":")
    if f"{kind}:" not in HUB_KEYS or not re.match(REPOSITORY, name):
        allowed = "hf:<owner>/<name> or timm:<model>, as on huggingface.co"
        raise ValueError(f"{key!r} is no encoder on the hub; allowed: {allowed}")
    return f"timm/{name}" if kind == "timm" and "/" not in name else name


def needed_files(names: Any, where: str) -> list[str]:
    """Return the files that an encoder reads, of a repository's; ValueError without safetensors."""
    weights = [WEIGHTS] if WEIGHTS in names else sorted(n for n in names if re.fullmatch(SHARD, n))
    if weights and weights != [WEIGHTS]:
        weights.insert(0, INDEX)
    missing = {"config.json", *weights} - set(names)
    if not weights or missing:
        absent = ", ".join(sorted(missing)) if weights else WEIGHTS
        raise ValueError(
            f"{where} has no {absent}; only safetensors are read, which run no code: name another "
            "repository, or a revision that has it (--revision refs/pr/<number>, if offered there)"
        )
    return [name for name in SETTINGS if name in names] + weights


def licence(card: dict[str, Any]) -> str:
    """Return the licence that a model's card states."""
    value = card.get("license_name") if card.get("license") == "other" else card.get("license")
    names = value if isinstance(value, list) else [value or card.get("license")]
    return ", ".join(str(name) for name in names if name) or "not stated"


def _ask(repository: str, revision: str | None) -> _Model:
    at = f"/revision/{quote(revision, safe='')}" if revision else ""
    url = mirrored(f"{HUB}/api/models/{repository}{at}?blobs=true")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        try:
            fetch(url, path, sha256=None, token=hub_token())
        except FetchError as error:
            raise explained(error, repository) from None
        model: _Model = read_json(path, _Model, f"check the network: {url} answered it")
    if model.gated and not (runtime.hub_token() or runtime.mirror()):
        raise ValueError(f"{repository} is gated: {accept(repository)}")
    return model


def _file(repository: str, revision: str, sibling: _Sibling, path: Path) -> HubFile:
    name = sibling.rfilename
    assert re.match(FILE_NAME, name)  # one of ours
    if sibling.lfs is not None:
        return HubFile(sha256=sibling.lfs.sha256, size=sibling.lfs.size)
    digest = fetch_from_hub(repository, revision, name, path, None)
    return HubFile(sha256=digest, size=path.stat().st_size)
