"""The tiny project as the current folder."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def inside(tiny_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny project as the current folder, with a cache of the test's own."""
    monkeypatch.chdir(tiny_project)
    monkeypatch.setenv("HGFN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HGFN_WORKERS", "1")
    return tiny_project
