"""Fixtures of every test, and shapes enforced at run time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

# Must stand before the first import of the house: the hook rewrites modules as they load.
install_import_hook("pipeline", "beartype.beartype")

# The first example of a test pays for imports; time is no property of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# As the stages run: results are those of one thread, and workers of xdist do not get in each
# other's way.
torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real inputs that are not part of the repository."""
    folder = Path(os.environ.get("HGFN_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real test inputs are not at {folder}; set HGFN_SHARED_DATA to their folder")
    return folder
