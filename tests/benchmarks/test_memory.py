"""A peak counts every process that extracts, and no other; no limit is asserted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import psutil
import pytest

from benchmarks import memory
from benchmarks.peak import peak_of_extraction, peaks_of
from benchmarks.timing import Effort
from pipeline.features.recipe import Item
from tests.benchmarks.hoarder import Hoarder

pytestmark = pytest.mark.heavy
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process' peak")


def items(count: int) -> list[Item]:
    return [Item(f"{k:02}", text=str(k)) for k in range(count)]


@linux
def test_a_peak_counts_what_the_workers_hold() -> None:
    held = 256 << 20
    assert peak_of_extraction(Hoarder(held), items(8), workers=2) > 8 * held + (100 << 20)


@linux
def test_a_peak_does_not_count_who_measures() -> None:
    held = b"x" * (1 << 30)  # resident here, so in what a new process inherits
    peak = peak_of_extraction(memory.PlainRecipe(), items(4), workers=1)
    assert 50 << 20 < peak < len(held)


FORKING = """
import os, time
if os.fork():
    print(flush=True)
time.sleep(60)
"""


@linux
def test_what_does_not_run_its_own_program_yet_is_not_counted_twice() -> None:
    command = [sys.executable, "-c", FORKING]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        children, counted = psutil.Process(process.pid).children(), peaks_of(process.pid)
        for child in children:
            child.kill()
        process.kill()
    assert len(children) == 1
    assert list(counted) == [process.pid]


@pytest.mark.parametrize(("left", "met"), [(100, True), (8 << 10, False)])
def test_memory_that_grows_with_each_item_misses_the_limit_even_where_the_ratio_holds(
    monkeypatch: pytest.MonkeyPatch, left: int, met: bool
) -> None:
    def peak(recipe: object, items: Sequence[Item], workers: int) -> int:
        return (1 << 30) + left * len(items)

    monkeypatch.setattr(memory, "peak_of_extraction", peak)
    monkeypatch.setattr(memory, "write_inception", lambda path: None)
    monkeypatch.setattr(sys, "platform", "linux")
    photos, numbers = memory.measure(Effort(repeats=1), photos=1, numbers=100)
    assert numbers.value is not None
    assert numbers.value < 1.1
    assert (photos.met, numbers.met) == (True, met)
    assert "KiB more an item" in numbers.detail
