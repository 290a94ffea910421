"""Attacks, each with how it ends: what `docs/security.md` is made from.

Mark a test, or a row of its parameters, with
`@pytest.mark.attack("HTTP", "what is tried", "how it ends, or the message")`; a plain mark.
the marks of the tests that passed. The fixture `ends` is the mark's last text, so that a test can
compare with exactly what the page says.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

# Where `model_files` lies, which several of the attacks import.
sys.path.insert(0, str(Path(__file__).parent))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "attack(group, tried, ends): an attack, a row of docs/security.md"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        mark = item.get_closest_marker("attack")
        if mark is not None:
            group, tried, ends = mark.args
            # Properties travel with a test's report, from a worker to the process that asked.
            item.user_properties.append(("attack", [group, tried, ends]))


@pytest.fixture
def ends(request: pytest.FixtureRequest) -> str:
    """How the page says that this attack ends."""
    mark = request.node.get_closest_marker("attack")
    assert mark is not None, "mark the test with pytest.mark.attack"
    return str(mark.args[2])


@pytest.fixture
def bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing was run (it would have left a file), and little work and memory were taken."""
    monkeypatch.chdir(tmp_path)
    before, started = peak(), time.process_time()
    yield
    assert not (tmp_path / "harm").exists()
    assert time.process_time() - started < 20  # the processor's seconds: a busy machine adds none
    assert peak() - before < 400 << 10


def peak() -> int:
    """The most memory that this process had so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
