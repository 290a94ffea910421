"""Pins: committed JSON files with the address and digest of a file (`sources/<name>.json`).

Pins of several files of a hub's repository are in `hub_pins`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from pipeline import runtime
from pipeline.ground.messages import echo
from pipeline.inputs.fetch import ContentError, fetch
from pipeline.inputs.json_files import check_json, read_json

# Keys of repositories: `hf:<hub id>` and `timm:<model>`.
HUB_KEYS = ("hf:", "timm:")


class _Entry(BaseModel):
    """The JSON's fields: address, sha256 (or its first digits), size in bytes, licence, note."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    address: str = Field(pattern=r"^https?://[^\s/]+/\S*[^\s/]$")
    sha256: str | None = Field(pattern="^[0-9a-f]{8,64}$")
    size: int | None = Field(gt=0)
    licence: str
    note: str = ""


class Pin(_Entry):
    """A file to fetch; `where` names the file and key that the pin was read from."""

    where: str

    @property
    def name(self) -> str:
        """The file's own name: the last part of the address's path."""
        return urlsplit(self.address).path.rpartition("/")[2] or "file"

    @property
    def path(self) -> Path:
        """Where the fetched file is stored, for all checkouts of this user."""
        return downloads_of(self.address) / self.name


def downloads_of(identity: str) -> Path:
    """Return the cache folder for one address or revision; other ones may have the same names."""
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    return runtime.cache_folder() / "downloads" / digest


def read_pin(path: Path) -> Pin:
    """Read a file of one pin; raises ValueError naming file and key."""
    return Pin(**read_json(path, _Entry).model_dump(), where=str(path))


def read_pins(path: Path) -> dict[str, Pin]:
    """Read the pins of single files by name; raises ValueError naming file and key."""
    entries = read_entries(path, dict[str, _Entry], of_hub=False)
    return {
        name: Pin(**entry.model_dump(), where=f"{path}, {name}") for name, entry in entries.items()
    }


def read_entries(path: Path, schema: Any, of_hub: bool) -> Any:
    """Read a file's pins of single files, or those of repositories, as `schema`."""
    values: dict[str, Any] = read_json(path, dict[str, Any])
    return check_json(
        path, {k: v for k, v in values.items() if k.startswith(HUB_KEYS) == of_hub}, schema
    )


def mirrored(url: str) -> str:
    """Return the address to fetch `url` from: `<HGFN_MIRROR>/<host>/<path>` if that is set."""
    mirror = runtime.mirror()
    return f"{mirror}/{url.partition('://')[2]}" if mirror else url


def fetch_pin(pin: Pin) -> Path:
    """Fetch a pin's file once into the user's cache folder, verify it, and return its path.

    If the pin has no whole sha256, a fetch prints the one to add. Raises FetchError.
    """
    url, path = mirrored(pin.address), pin.path
    cached = path.is_file()
    try:
        digest = fetch(url, path, sha256=pin.sha256, size=pin.size)
    except ContentError as error:
        cure = f"open the address by hand; if its authors published a new file, correct {pin.where}"
        raise ContentError(url, error.reason, cure) from None
    if digest != pin.sha256 and not cached:
        echo(f'{path.name}: add "sha256": "{digest}" to {pin.where}', err=True)
    return path
