"""The benchmark of features in their files runs at a tiny size; no time is asserted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from benchmarks import streaming
from benchmarks.timing import Effort

pytestmark = pytest.mark.heavy


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
