"""The fake recipe, with an input that ends the worker process which extracts it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from fake_recipe import FakeRecipe

from pipeline.features.recipe import Decoded, Identity, Item, Network, Reader


@dataclass(frozen=True)
class DeadlyRecipe:
    """The contents `deadly` send a signal to their process the first `times` times.

    That happens while they are read, or in the network. `deaths` is a file that counts them.
    """

    log: Path
    deaths: Path
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

    def reader(self) -> Reader:
        read = FakeRecipe(self.log).reader()

        def live_or_die(item: Item) -> Decoded:
            contents = item.text if item.path is None else item.path.read_text()
            if not self.in_network:
                self._die(contents)
            time.sleep(self.seconds)
            return read(item)

        return live_or_die

    def network(self) -> Network:
        network = FakeRecipe(self.log).network()

        def live_or_die(inputs: Sequence[Any]) -> Sequence[np.ndarray]:
            for contents in inputs:
                self._die(contents)
            return network(inputs)

        return live_or_die

    def _die(self, contents: str | None) -> None:
        so_far = self.deaths.stat().st_size if self.deaths.exists() else 0
        if contents == "deadly" and so_far < self.times:
            with self.deaths.open("a") as deaths:
                deaths.write("x")
            os.kill(os.getpid(), self.signal)
