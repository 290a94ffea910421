"""What every node of a cluster must have in common with the one that sends the work."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pipeline import runtime
from pipeline.features.cache import ItemCache
from pipeline.features.processor import processor
from pipeline.features.recipe import Identity, Recipe

# Another version of one of these could give other bytes for the same item.
_LIBRARIES = ("av", "librosa", "numpy", "pillow", "torch", "torchvision")
_TOLD = 4  # differences
_ONE_KIND = "; start Ray on nodes of one kind only"


@dataclass(frozen=True)
class Node:
    """Name, folder, device, versions and processor of the process that asks for features."""

    name: str
    folder: Path
    modules: tuple[str, ...]
    device: str
    identity: Identity
    libraries: dict[str, str]
    processor: dict[str, str]

    @classmethod
    def here(cls, recipe: Recipe) -> Node:
        """Describe this process."""
        return cls(
            _name(),
            Path.cwd(),
            tuple(sys.path),
            runtime.device(),
            recipe.identity(),
            _versions(),
            processor(),
        )

    def enter(self) -> None:
        """Work in the same folder, so that relative paths mean the same, and on the same device.

        Raises ValueError where the folder is not there.
        """
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise ValueError(
                f"node {_name()} has no {self.folder} ({error.strerror}): every node "
                f"needs the project's folder at the same path"
            ) from None
        sys.path += [folder for folder in self.modules if folder not in sys.path]
        os.environ["HGFN_DEVICE"] = self.device

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Name this process' node in an error, unless it is the asking one's."""
        try:
            yield
        except Exception as error:
            if self.name != _name():
                error.add_note(f"on node {_name()}")
            raise

    def require_same(self, recipe: Recipe) -> None:
        """Raise ValueError where this process would not give the same bytes as that one."""
        here = Node.here(recipe)
        for what, theirs, ours, cure in (
            ("other code or weights", self.identity, here.identity, ""),
            ("other libraries", self.libraries, here.libraries, ""),
            ("another processor", self.processor, here.processor, _ONE_KIND),
        ):
            if theirs != ours:
                raise ValueError(f"node {_name()} has {what}: {_differences(theirs, ours)}{cure}")


def require_gpu(here: str, first: str) -> None:
    """Raise ValueError where this process' GPU is not of the kind that the run began with."""
    if here != first:
        raise ValueError(f"node {_name()} has another GPU: {here}, not {first}{_ONE_KIND}")


def require_cache(cache: ItemCache, mark: str) -> None:
    """Raise ValueError where this process' cache is not the one that bears the driver's mark."""
    if not cache.bears(mark):
        raise ValueError(
            f"node {_name()} has another item cache at {cache}; set HGFN_CACHE to a folder that "
            "all nodes share, or to a URL"
        )


def _name() -> str:
    return socket.gethostname()


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}


def _differences(theirs: Mapping[str, object], ours: Mapping[str, object]) -> str:
    names = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
    values = [f"{k} {ours.get(k, 'missing')}, not {theirs.get(k, 'missing')}" for k in names]
    more = f", and {len(values) - _TOLD} more" if len(values) > _TOLD else ""
    return ", ".join(values[:_TOLD]) + more
