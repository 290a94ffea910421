"""A recipe whose input can end the worker that reads it, importable by worker processes."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.features.entry import Entry
from pipeline.features.recipe import Extract, Identity, Item, one_by_one


@dataclass(frozen=True)
class DeadlyRecipe:
    """Logs what it extracts; the text `deadly` kills its worker the first time."""

    log: Path
    seconds: float = 0.0
    modality: ClassVar[str] = "text"
    batch: ClassVar[int] = 1
    dim: ClassVar[int] = 2

    def identity(self) -> Identity:
        return {"version": "1"}

    def open(self) -> Extract:
        def extract(item: Item) -> Entry:
            victim = self.log.with_suffix(".victim")
            if item.text == "deadly" and not victim.exists():
                victim.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(self.seconds)
            with self.log.open("a") as log:
                log.write(f"{item.id}\n")
            return Entry(np.full((1, 2), len(item.text or ""), np.float32))

        return one_by_one(extract)
