"""Pins of encoders on the Hugging Face hub: several files of a repository at one revision.

They are fetched without the hub's own library, so that nothing calls home.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pipeline import runtime
from pipeline.inputs.fetch import CURE, ContentError, FetchError, fetch, sha256_of
from pipeline.inputs.pins import downloads_of, mirrored, read_entries

HUB = "https://huggingface.co"
# Parts that begin with a letter or digit: no hidden file and no way out of the folder.
_PART = "[A-Za-z0-9][A-Za-z0-9_.-]*"
REPOSITORY = f"^{_PART}(/{_PART})?$"
FILE_NAME = f"^{_PART}(/{_PART})*$"

# Files that an encoder reads besides its weights; a model has some of them.
SETTINGS = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
)


class HubFile(BaseModel):
    """One file of a repository."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(gt=0)


class HubEntry(BaseModel):
    """The JSON's fields: repository, revision (40 hex digits), licence, files by name, note."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    repository: str = Field(pattern=REPOSITORY)
    revision: str = Field(pattern="^[0-9a-f]{40}$")
    licence: str
    files: dict[Annotated[str, StringConstraints(pattern=FILE_NAME)], HubFile] = Field(min_length=1)
    note: str = ""


class HubPin(HubEntry):
    """Files of a hub's repository at one revision; `where` names the pin's file and key."""

    where: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())

    @property
    def name(self) -> str:
        """The repository's own name, without its owner."""
        return self.repository.rpartition("/")[2]

    @property
    def folder(self) -> Path:
        """Where the fetched files are stored, for all checkouts of this user."""
        return downloads_of(f"{self.repository}@{self.revision}") / self.name

    def is_here(self) -> bool:
        """Whether every file has been fetched."""
        return all((self.folder / name).is_file() for name in self.files)


def read_hub_pins(path: Path) -> dict[str, HubPin]:
    """Read the pins of repositories by key (`hf:<hub id>`), as `read_pins` does."""
    entries = read_entries(path, dict[str, HubEntry], of_hub=True)
    return {
        key: HubPin(**entry.model_dump(), where=f"{path}, {key}") for key, entry in entries.items()
    }


def hub_address(repository: str, revision: str, name: str) -> str:
    """Return the address of a repository's file."""
    return f"{HUB}/{repository}/resolve/{quote(revision, safe='')}/{quote(name)}"


def obtain_repository(pin: HubPin) -> Path:
    """Return a folder with the pinned files: HGFN_WEIGHTS/<name>, else fetched into the cache.

    All files are verified. Raises ValueError for a given folder of other files, FetchError for a
    file that cannot be fetched.
    """
    if (given := given_folder(pin)) is not None:
        check_files(pin, given)
        return given
    for name, file in pin.files.items():
        fetch_from_hub(pin.repository, pin.revision, name, pin.folder / name, file, pin.where)
    return pin.folder


def given_folder(pin: HubPin) -> Path | None:
    """Return the folder of the repository's name in HGFN_WEIGHTS, if there is one."""
    folder = runtime.weights_folder()
    return folder / pin.name if folder and (folder / pin.name).is_dir() else None


def check_files(pin: HubPin, folder: Path) -> None:
    """Raise ValueError naming the first pinned file that is missing or differs in the folder."""
    for name, file in pin.files.items():
        path = folder / name
        digest = sha256_of(path) if path.is_file() else "none: there is no such file"
        if digest != file.sha256:
            raise ValueError(
                f"{path}: sha256 is {digest}, expected {file.sha256}; give the file of "
                f"{hub_address(pin.repository, pin.revision, name)}, or name the folder itself as "
                f"encoder (hf:{folder})"
            )


def fetch_from_hub(
    repository: str, revision: str, name: str, path: Path, file: HubFile | None, where: str = ""
) -> str:
    """Fetch a repository's file to `path` and return its sha256; raises FetchError.

    HF_TOKEN is sent to the hub alone: not to a mirror, nor where the hub redirects.
    """
    address = hub_address(repository, revision, name)
    try:
        return fetch(
            mirrored(address),
            path,
            sha256=file.sha256 if file else None,
            size=file.size if file else None,
            token=hub_token(),
        )
    except ContentError as error:
        cure = f"a revision never changes: check the mirror or proxy, then the pin ({where})"
        raise ContentError(error.url, error.reason, cure) from None
    except FetchError as error:
        raise explained(error, repository) from None


def hub_token() -> str | None:
    """Return HF_TOKEN, or None if a mirror is used in place of the hub."""
    return None if runtime.mirror() else runtime.hub_token()


def explained(error: FetchError, repository: str) -> FetchError:
    """Return the hub's refusal with what to do about it."""
    cure = {
        401: f"check the id; if it is gated, {accept(repository)}",
        403: accept(repository),
        404: "check the id and the revision",
    }.get(error.status, error.cure)
    if cure == CURE:
        name = repository.rpartition("/")[2]
        cure = f"check the network, or put the files into a folder {name} of HGFN_WEIGHTS"
    explained = FetchError(error.url, error.reason, cure)
    explained.status = error.status
    return explained


def accept(repository: str) -> str:
    """Return what to do about a gated repository."""
    return f"accept its terms at {HUB}/{repository} and set HF_TOKEN to a token of your account"
