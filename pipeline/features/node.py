"""What every node of a cluster must have in common with the one that sends the work."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pipeline import runtime
from pipeline.features.recipe import Identity, Recipe

# Another version of one of these could give other bytes for the same item.
_LIBRARIES = ("av", "librosa", "numpy", "pillow", "torch", "torchvision")


@dataclass(frozen=True)
class Node:
    """Folder, device and versions of the process that asks for features."""

    folder: Path
    modules: tuple[str, ...]
    device: str
    identity: Identity
    libraries: dict[str, str]

    @classmethod
    def here(cls, recipe: Recipe) -> Node:
        """Describe this process."""
        return cls(Path.cwd(), tuple(sys.path), runtime.device(), recipe.identity(), _versions())

    def enter(self) -> None:
        """Work in the same folder, so that relative paths mean the same, and on the same device.

        Raises ValueError where the folder is not there.
        """
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise ValueError(
                f"node {socket.gethostname()} has no {self.folder} ({error.strerror}): every node "
                f"needs the project's folder at the same path"
            ) from None
        sys.path += [folder for folder in self.modules if folder not in sys.path]
        os.environ["HGFN_DEVICE"] = self.device

    def require_same(self, recipe: Recipe) -> None:
        """Raise ValueError where this process would not give the same bytes as that one."""
        here = Node.here(recipe)
        for what, theirs, ours in (
            ("code or weights", self.identity, here.identity),
            ("libraries", self.libraries, here.libraries),
        ):
            if theirs != ours:
                node = socket.gethostname()
                raise ValueError(f"node {node} has other {what}: {_differences(theirs, ours)}")


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}


def _differences(theirs: Mapping[str, object], ours: Mapping[str, object]) -> str:
    names = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
    return ", ".join(f"{name} {ours.get(name)}, not {theirs.get(name)}" for name in names)
