"""What every encoder is: a frozen dataclass that prepares inputs and runs a network on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from pipeline.ground.temporaries import write_text
from pipeline.inputs.json_files import read_json

# What the result depends on besides the input: part of the cache's keys and of feature files.
Identity = dict[str, str | int]

# Turns up to `batch` prepared inputs into a float32 [length, dim] each, whose bytes do not depend
# on the other inputs.
Run = Callable[[Sequence[Any]], list[np.ndarray]]

ORIGIN = "origin.json"


@dataclass(frozen=True)
class Origin:
    """Where a folder of weights comes from; `origin.json` beside the weights says it.

    `encoder` is the value of `features.<modality>.encoder`, `note` what else a reader may want to
    know, such as the given file's name and digest.
    """

    encoder: str
    weights: Literal["untrained", "pretrained", "given"]
    licence: str
    note: str = ""

    def write(self, folder: Path) -> None:
        """Write `origin.json` into a folder of weights."""
        write_text(folder / ORIGIN, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def of(cls, folder: Path) -> Origin:
        """Read `origin.json`; raises ValueError naming the folder or the file."""
        cure = "run the weights stage first"
        if not (folder / ORIGIN).is_file():
            raise ValueError(f"{folder}: no weights; {cure}")
        origin: Origin = read_json(folder / ORIGIN, cls, cure)
        return origin


@runtime_checkable  # for the tests, which check types
class Encoder(Protocol):
    """A network of one modality; it is sent to each worker process.

    `prepare` runs where the medium is read, and its `raw` depends on the modality:

    - visual: a picture, uint8 [height, width, 3], to uint8 [size, size, 3]. `run` takes the
      pictures of a photo or a clip, uint8 [n, size, size, 3], and returns [n, dim].
    - text (`TextEncoder`): a text to a list of its tokens, without special ones at its ends; the
      reader cuts it to `longest`. `run` takes the list and returns [tokens, dim], or [1, dim] if
      the network pools them itself.
    - audio (`AudioEncoder`): a waveform, float32 [samples] in [-1, 1] at `rate`, to anything. `run`
      returns [steps or windows, dim].
    """

    version: ClassVar[str]  # of its code
    batch: ClassVar[int]  # inputs that the network takes at once
    gpu: ClassVar[bool]  # whether its network follows HGFN_DEVICE=cuda

    @property
    def folder(self) -> Path:
        """`data/weights/<modality>`, with all that it needs."""
        ...

    @property
    def dim(self) -> int:
        """Width of a feature vector, known without loading a tensor."""
        ...

    @classmethod
    def obtain(cls, source: str, weights: str, folder: Path) -> Origin:
        """Fill an empty folder with the weights.

        `source` names the model: what follows the colon of `hf:...` and `timm:...`, or ELMo's
        size, or nothing. `weights` is untrained, pretrained, or the path of a file or folder.
        Raises ValueError in one line with the cure, FetchError for what cannot be fetched.
        """
        ...

    @classmethod
    def of(cls, folder: Path, params: Any) -> Encoder:
        """Return the encoder of a folder that `obtain` filled, with its section of params.yaml."""
        ...

    def identity(self) -> Identity:
        """Everything except the input that changes the result: code version, weights, settings."""
        ...

    def prepare(self, raw: Any) -> Any:
        """Turn what was read into an input of the network."""
        ...

    def load(self) -> Run:
        """Load the network, in the process that will run it."""
        ...


@runtime_checkable
class TextEncoder(Encoder, Protocol):
    """An encoder of texts."""

    @property
    def longest(self) -> int:
        """Tokens of a text that it takes; the reader cuts longer ones and reports them."""
        ...


@runtime_checkable
class AudioEncoder(Encoder, Protocol):
    """An encoder of waveforms."""

    @property
    def rate(self) -> int:
        """Samples a second of the waveform that it takes."""
        ...


def identity_of(encoder: Encoder, name: str, **settings: str | int) -> Identity:
    """Return an encoder's identity: its name, version and weights, and its settings."""
    weights = folder_digest(encoder.folder)
    return {"encoder": name, "version": encoder.version, "weights": weights, **settings}


def folder_digest(folder: Path) -> str:
    """Hash the names and bytes of all files of a folder of weights, except for `origin.json`."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != ORIGIN:
            name = path.relative_to(folder).as_posix()
            digest.update(f"{name}\0{file_digest(path)}\n".encode())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Hash a file's bytes (sha256, hexadecimal)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
