"""What the tests of extraction share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.extractors.untrained import write_elmo, write_inception, write_soundnet


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the modules beside the tests importable, for spawned workers too: they get the path."""
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parent), *sys.path])


@pytest.fixture
def fake(tmp_path: Path, beside: None) -> Callable[..., Any]:
    from fake_recipe import FakeRecipe

    def make(**options: Any) -> FakeRecipe:
        return FakeRecipe(tmp_path / "log.txt", **options)

    return make


@pytest.fixture
def extracted(tmp_path: Path) -> Callable[[], list[str]]:
    """Ids that the fake recipe extracted since the last call."""

    def read() -> list[str]:
        log = tmp_path / "log.txt"
        ids = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return sorted(ids)

    return read


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three untrained networks at full size."""
    folder = tmp_path_factory.mktemp("weights")
    write_inception(folder / "inception.safetensors")
    write_soundnet(folder / "soundnet.safetensors")
    write_elmo(folder / "options.json", folder / "weights.hdf5", model="small")
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Equal bytes are promised for one thread, as in a worker."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
