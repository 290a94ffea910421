"""The table of costs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from stages.tables import files
from stages.tables.costs import costs


def test_parameters_epochs_and_seconds_of_every_row(project: Path) -> None:
    costs()
    cells = pd.read_csv(files.RESULTS / "costs.csv")
    assert len(cells) == 2 * 3 * 2
    lines = (files.RESULTS / "costs.md").read_text().splitlines()
    assert "| HGFN + DMTL | 1,000 | 7.0 | 3.0 ± 2.1 | 1.00 |" in lines
    assert lines.count("| Method | parameters | epochs | seconds | time of an epoch |") == 2


def test_a_missing_time_is_named(project: Path) -> None:
    files.place_of_one("youtube", "cfc_lsew", 0).timing.unlink()
    with pytest.raises(ValueError, match=r"youtube/cfc_lsew/0/0\.json is missing"):
        costs()
