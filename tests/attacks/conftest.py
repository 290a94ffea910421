"""What the tests of malicious files share: nothing may run, and the work stays bounded."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing was run (it would have left a file), and little time and memory were used."""
    monkeypatch.chdir(tmp_path)
    before, started = peak(), time.process_time()
    yield
    assert not (tmp_path / "harm").exists()
    assert time.process_time() - started < 20  # the processor's seconds: a busy machine adds none
    assert peak() - before < 400 << 10


def peak() -> int:
    """The most memory that this process has used so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
