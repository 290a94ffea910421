"""The benchmark of predictions measures what it says, on few posts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:  # `benchmarks` is run from the root and is not installed
    sys.path.insert(0, str(ROOT))

from benchmarks import predicting  # noqa: E402
from benchmarks.section import Effort  # noqa: E402


def test_every_line_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(predicting, "TIMES", 2)
    many, cold, loaded, memory = predicting.measure(Effort(repeats=8), posts=20)
    assert [line.limit for line in (many, cold, loaded, memory)] == [0.85, 1.5, 1.3, 1.1]
    assert all(line.value for line in (many, cold, loaded, memory))
    assert Path.cwd() == ROOT
