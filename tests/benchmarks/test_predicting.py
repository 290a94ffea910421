"""The benchmark of predictions measures what it says, on few posts."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import predicting
from benchmarks.timing import Effort

pytestmark = pytest.mark.long


def test_every_line_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Path.cwd()
    monkeypatch.setattr(predicting, "TIMES", 2)
    many, cold, loaded, memory = predicting.measure(Effort(repeats=8), posts=20)
    assert [line.limit for line in (many, cold, loaded, memory)] == [0.85, 1.5, 1.3, 1.1]
    assert all(line.value for line in (many, cold, loaded, memory))
    assert Path.cwd() == here
