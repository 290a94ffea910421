"""The benchmarks of extraction run at a tiny size; no time is asserted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:  # `benchmarks` is run from the root and is not installed
    sys.path.insert(0, str(ROOT))

from benchmarks import extraction  # noqa: E402
from benchmarks.section import Effort  # noqa: E402


def test_every_line_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "FRAMES", 1)
    cached, parts = extraction.measure(Effort(repeats=1), texts=4, clips=1)
    assert cached.exact
    assert "same bytes" in cached.detail
    assert [line.at_least for line in (cached, parts)] == [True, False]
    assert all(line.value and line.value > 0 for line in (cached, parts))
