"""The fake recipe, with an input that ends the worker which reads it; for worker processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from fake_recipe import FakeRecipe

from pipeline.features.entry import Entry
from pipeline.features.recipe import Extract, Identity, Item


@dataclass(frozen=True)
class DeadlyRecipe:
    """The text `deadly` kills its worker the first time, and leaves `victim` behind."""

    log: Path
    victim: Path
    seconds: float = 0.0
    modality: ClassVar[str] = "text"
    batch: ClassVar[int] = 1
    dim: ClassVar[int] = 2

    def identity(self) -> Identity:
        return {"version": "1"}

    def open(self) -> Extract:
        extract = FakeRecipe(self.log).open()

        def live_or_die(items: Sequence[Item]) -> list[Entry]:
            if items[0].text == "deadly" and not self.victim.exists():
                self.victim.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(self.seconds)
            return extract(items)

        return live_or_die
