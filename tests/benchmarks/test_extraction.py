"""The benchmarks of extraction run at a tiny size; no time is asserted."""

from __future__ import annotations

import pytest

from benchmarks import extraction
from benchmarks.timing import Effort

pytestmark = pytest.mark.heavy


def test_every_line_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "FRAMES", 1)
    cached, parts = extraction.measure(Effort(repeats=1), texts=4, clips=1)
    assert cached.exact
    assert "same bytes" in cached.detail
    assert [line.at_least for line in (cached, parts)] == [True, False]
    assert all(line.value and line.value > 0 for line in (cached, parts))
