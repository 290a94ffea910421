"""Fixtures of every test, and shapes enforced at run time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Must stand before the first import of the house: the hook rewrites modules as they load.
install_import_hook("pipeline", "beartype.beartype")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real inputs that are not part of the repository."""
    folder = Path(os.environ.get("HGFN_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real test inputs are not at {folder}; set HGFN_SHARED_DATA to their folder")
    return folder
