"""Recipes without a network, importable by worker processes; they log what they extract."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipeline.features.recipe import FILE, Decoded, Identity, Item, Network, Recipe
from pipeline.media import MediaError


@dataclass(frozen=True)
class FakeRecipe(Recipe):
    """Features are the input's length, times `scale`; some inputs fail instead."""

    log: Path
    scale: int = 1
    weights: str = "00ff"
    version: str = "1"
    broken: bool = False
    mended: bool = False  # whether what was unreadable can be read now
    modality: ClassVar[str] = "text"
    batch: ClassVar[int] = 1
    gpu: ClassVar[bool] = True
    dim: ClassVar[int] = 2

    def identity(self) -> Identity:
        return {"version": self.version, "weights": self.weights, "scale": self.scale}

    def read(self, item: Item) -> Decoded:
        with self.log.open("a") as log:
            log.write(f"{item.id}\n")
        contents = item.text if item.path is None else item.path.read_text()
        assert contents is not None
        if contents == "unreadable" and not self.mended:
            raise MediaError("decode_failed", f"{item.path}: no picture in {item.path}")
        if contents == "bug":
            raise KeyError("an error of the code, not of the item")
        if contents == "strange":
            raise TwoPartError(item.id, "an error of a library")
        if contents == "mute":
            return Decoded(None, ("empty_text", f"{FILE}: says nothing"))
        return Decoded(contents, ("truncated", f"{FILE}: cut") if contents == "cut" else None)

    def network(self) -> Network:
        if self.broken:
            raise ValueError("weights.bin: not the weights of this network")
        return lambda inputs: [self._features(contents) for contents in inputs]

    def _features(self, contents: str) -> np.ndarray:
        features = np.full((len(contents), 2), self.scale * len(contents), np.float32)
        if contents in ("nan", "inf"):
            features[-1, -1] = float(contents)
        return features


@dataclass(frozen=True)
class DeadlyRecipe(Recipe):
    """The contents `deadly` send a signal to their process the first `times` times.

    That happens while they are read, or in the network. `crashes` is a file that counts them.
    """

    log: Path
    crashes: Path
    times: int = 1
    signal: int = signal.SIGKILL
    in_network: bool = False
    seconds: float = 0.0
    modality: ClassVar[str] = "text"
    batch: ClassVar[int] = 1
    gpu: ClassVar[bool] = True
    dim: ClassVar[int] = 2

    def identity(self) -> Identity:
        return {"version": "1"}

    def read(self, item: Item) -> Decoded:
        contents = item.text if item.path is None else item.path.read_text()
        if not self.in_network:
            self._die(contents)
        time.sleep(self.seconds)
        return FakeRecipe(self.log).read(item)

    def network(self) -> Network:
        network = FakeRecipe(self.log).network()

        def live_or_die(inputs: Sequence[Any]) -> Sequence[np.ndarray]:
            for contents in inputs:
                self._die(contents)
            return network(inputs)

        return live_or_die

    def _die(self, contents: str | None) -> None:
        so_far = self.crashes.stat().st_size if self.crashes.exists() else 0
        if contents == "deadly" and so_far < self.times:
            with self.crashes.open("a") as crashes:
                crashes.write("x")
            os.kill(os.getpid(), self.signal)


@dataclass(frozen=True)
class DeadlyBatchRecipe(DeadlyRecipe):
    """As `DeadlyRecipe`, three items at once."""

    batch: ClassVar[int] = 3


class TwoPartError(Exception):
    """Cannot be pickled: exceptions are made again from their message alone."""

    def __init__(self, subject: str, problem: str) -> None:
        super().__init__(f"{subject}: {problem}")
