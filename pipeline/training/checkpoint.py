"""Checkpoints: a training that was killed resumes, and ends with the bytes of one that was not."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.ground.code_digest import code_digest
from pipeline.ground.processes import processor_model
from pipeline.ground.system_errors import explain
from pipeline.ground.temporaries import remove_left_over, written_whole
from pipeline.params import TrainParams
from pipeline.training.examples import Examples
from pipeline.training.model import ModelSpec

# The code that decides a training and its log, below pipeline/.
CODE = ("evaluation/scores.py", "ground/processes.py", "models", "mtl", "training")
_DIGEST_BYTES = 32


class Checkpoint:
    """A training's state in the file <folder>/<key>.pt.

    Key: see `training_key`. The state consists of tensors, numbers, texts, lists and dictionaries.
    The file begins with the sha256 of the key and the rest. Where it is damaged or of another
    training, and where it cannot be written, the training goes on without it, and `notify` gets one
    message. `seconds` is the least time between two writes.
    """

    def __init__(
        self, folder: Path, key: str, seconds: float, notify: Callable[[str], None]
    ) -> None:
        self.path = folder / f"{key}.pt"
        self.seconds, self.notify = seconds, notify
        self._key = key
        self._last_write = time.monotonic()
        self._failed = False

    def load(self) -> dict[str, Any] | None:
        """Return the state last saved, on the CPU; None if there is none that can be used."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._report(error)
            return None
        digest, contents = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if digest != self._digest(contents):
            self.notify(f"{self.path} is damaged or of another training: starts at epoch 0")
            return None
        state = torch.load(io.BytesIO(contents), map_location="cpu", weights_only=True)
        return dict(state)

    def save(self, state: Callable[[], dict[str, Any]], at_once: bool = False) -> None:
        """Write what `state` returns, if `at_once` or the last write is `seconds` ago."""
        if not at_once and time.monotonic() - self._last_write < self.seconds:
            return
        buffer = io.BytesIO()
        torch.save(state(), buffer)
        try:
            with written_whole(self.path) as path, path.open("wb") as file:
                file.write(self._digest(buffer.getbuffer()))
                file.write(buffer.getbuffer())
        except OSError as error:
            self._report(error)
        self._last_write = time.monotonic()

    def remove(self) -> None:
        """Remove the file, and the temporary files of killed trainings."""
        with suppress(OSError):  # the result is stored, and outlives a disk that has failed
            self.path.unlink(missing_ok=True)
            remove_left_over(self.path.parent)

    def _report(self, error: OSError) -> None:
        if not self._failed:
            self.notify(
                f"no checkpoints, a killed training will start at epoch 0: {explain(error)}"
            )
        self._failed = True

    def _digest(self, contents: bytes | memoryview) -> bytes:
        digest = hashlib.sha256(self._key.encode())
        digest.update(contents)
        return digest.digest()


def training_key(
    spec: ModelSpec, examples: Examples, params: TrainParams, seed: int, device: str
) -> str:
    """Digest of all that decides a training's bits: data, settings, code, versions, processor."""
    gpus = torch.cuda.is_available()  # without one, the training raises its own error
    values = {
        "spec": spec.to_json(),
        "params": params.model_dump(),
        "seed": seed,
        "examples": examples_digest(examples),
        "split": examples.split.tolist(),
        "code": code_digest(CODE),
        "versions": [torch.__version__, np.__version__],
        "processor": [processor_model(), torch.backends.cpu.get_cpu_capability()],
        "threads": torch.get_num_threads(),
        "device": device,
        "gpu": torch.cuda.get_device_name() if device == "cuda" and gpus else None,
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def examples_digest(examples: Examples) -> str:
    """Digest of ids, features and targets; the split is not part of it."""
    digest = hashlib.sha256(repr(examples.ids).encode())
    targets = {name: [values] for name, values in examples.targets.items()}
    for arrays in (examples.sequences, targets):
        for name, values in sorted(arrays.items()):
            for array in values:
                digest.update(f"{name} {array.shape} {array.dtype}".encode())
                digest.update(array.tobytes())
    return digest.hexdigest()
