"""The benchmarks of extraction run at a tiny size; no time is asserted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:  # `benchmarks` is run from the root and is not installed
    sys.path.insert(0, str(ROOT))

from benchmarks import extraction  # noqa: E402
from benchmarks.peak import peak_of_extraction  # noqa: E402
from benchmarks.section import Effort  # noqa: E402


@pytest.mark.slow
def test_every_line_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "FRAMES", 1)
    monkeypatch.setattr(extraction, "peak_of_extraction", lambda items: 1000 + items)
    cached, parts, memory = extraction.measure(Effort(repeats=1), texts=4, clips=1)
    assert cached.exact
    assert "same bytes" in cached.detail
    assert [line.at_least for line in (cached, parts, memory)] == [True, False, False]
    assert all(line.value and line.value > 0 for line in (cached, parts, memory))


@pytest.mark.slow
def test_a_peak_is_of_a_process_of_its_own() -> None:
    held = b"x" * (1 << 30)  # resident here, so in what a new process inherits
    peak = peak_of_extraction(4)
    assert 50 << 20 < peak < len(held)
