"""The benchmark of features in their files runs at a tiny size; no time is asserted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:  # `benchmarks` is run from the root and is not installed
    sys.path.insert(0, str(ROOT))

from benchmarks import streaming  # noqa: E402
from benchmarks.section import Effort  # noqa: E402


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HGFN_MEMORY", "")
    strict = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(strict)


def test_time_and_memory_are_measured_and_both_ways_give_the_same_losses() -> None:
    lines = streaming.measure(Effort(repeats=1), {"tweets": 20})
    assert [line.limit for line in lines] == [1.15, 1.1]
    assert all(line.exact and (line.value or 1) > 0 for line in lines)
