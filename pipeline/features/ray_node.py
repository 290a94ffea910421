"""Checks that a node of a cluster gives the same bytes as the driver."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from pipeline import runtime
from pipeline.features.recipe import Recipe

# Another version of one of these could give other bytes for the same item.
_LIBRARIES = ("av", "librosa", "numpy", "pillow", "torch", "torchvision")
_CPUINFO = Path("/proc/cpuinfo")

Facts = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Driver:
    """The process that runs an extraction; `facts` are what its features depend on."""

    folder: Path
    modules: tuple[str, ...]
    device: str
    facts: Facts

    @classmethod
    def here(cls, recipe: Recipe, gpu: str | None) -> Driver:
        """Describe this process; `gpu` is the kind of GPU to compute on, if any."""
        return cls(Path.cwd(), tuple(sys.path), runtime.device(), facts(recipe, gpu))

    def imitate(self) -> None:
        """Work in the driver's folder, with its modules and device.

        Raises ValueError if the folder does not exist.
        """
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise ValueError(
                f"no {self.folder} ({error.strerror}): every node needs the project's folder at "
                "the same path"
            ) from None
        sys.path += [folder for folder in self.modules if folder not in sys.path]
        os.environ["HGFN_DEVICE"] = self.device

    def require_same(self, here: Facts) -> None:
        """Raise ValueError that lists how the facts here differ from the driver's."""
        for what, expected in self.facts.items():
            actual = here[what]
            names = sorted(n for n in {*expected, *actual} if expected.get(n) != actual.get(n))
            if names:
                values = [f"{n} {actual.get(n)}, not {expected.get(n)}" for n in names]
                raise ValueError(f"other {what}: {', '.join(values)}; use nodes of one kind only")


def facts(recipe: Recipe, gpu: str | None) -> Facts:
    """List what an item's features depend on besides the item.

    Of a processor these are torch's choice of vector code, and the model, for oneDNN and MKL.
    """
    model = re.search(r"model name\s*: (.*)", _CPUINFO.read_text()) if _CPUINFO.exists() else None
    return {
        "code or weights": recipe.identity(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "processor": {
            "vector code": torch.backends.cpu.get_cpu_capability(),
            "model": model[1] if model else platform.processor() or platform.machine(),
            "GPU": gpu,
        },
    }
