"""A tiny project in which both sets were trained and evaluated."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stages.runs import prepare, run, write_sources


@pytest.fixture(scope="session")
def tiny_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with data/, models/ and predictions/ of crisismmd and youtube."""
    folder = tmp_path_factory.mktemp("tiny")
    write_sources(folder / "sources")
    prepare(folder / "project", folder / "sources")
    run(folder / "project", ["crisismmd", "youtube"])
    yield folder / "project"
    shutil.rmtree(folder / "project" / "data" / "weights")  # 200 MB


@pytest.fixture
def inside(tiny_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny project as the current folder, with a cache of the test's own."""
    monkeypatch.chdir(tiny_project)
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HGFN_WORKERS", "1")
    return tiny_project
