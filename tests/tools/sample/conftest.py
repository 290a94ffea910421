"""Both samples, written once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.sample import write_crisismmd, write_youtube


@pytest.fixture(scope="session")
def crisismmd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crisismmd")
    write_crisismmd(folder)
    return folder


@pytest.fixture(scope="session")
def youtube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fewer clips than the sample's, enough to hold every kind of dirt."""
    folder = tmp_path_factory.mktemp("youtube")
    write_youtube(folder, clips=16)
    return folder
