"""The fake recipe, with an input that ends the worker which reads it; for worker processes."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fake_recipe import FakeRecipe

from pipeline.features.recipe import Identity, Item, Network, Read, Reader


@dataclass(frozen=True)
class DeadlyRecipe:
    """The text `deadly` kills its reader the first time, and leaves `victim` behind."""

    log: Path
    victim: Path
    seconds: float = 0.0
    modality: ClassVar[str] = "text"
    batch: ClassVar[int] = 1
    gpu: ClassVar[bool] = True
    dim: ClassVar[int] = 2

    def identity(self) -> Identity:
        return {"version": "1"}

    def reader(self) -> Reader:
        read = FakeRecipe(self.log).reader()

        def live_or_die(item: Item) -> Read:
            if item.text == "deadly" and not self.victim.exists():
                self.victim.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(self.seconds)
            return read(item)

        return live_or_die

    def network(self) -> Network:
        return FakeRecipe(self.log).network()
