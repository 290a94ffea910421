from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.ground.processes import is_running, start_time

PARENT = """
import multiprocessing, os, time
from pipeline.ground.processes import end_with_parent

def work():
    end_with_parent()
    print(os.getpid(), flush=True)
    time.sleep(30)

if __name__ == "__main__":
    worker = multiprocessing.get_context("spawn").Process(target=work)
    worker.start()
    worker.join()
"""


def test_a_process_runs_until_it_ends_asked_about_or_not() -> None:
    assert is_running(os.getpid())
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert is_running(process.pid)
    process.kill()
    # It ended, but nobody asked how: the system keeps its number.
    deadline = time.monotonic() + 20
    while is_running(process.pid):
        assert time.monotonic() < deadline
    process.communicate()
    assert not is_running(process.pid)


def test_a_number_is_not_the_process_that_had_it_before() -> None:
    when = start_time(os.getpid())
    assert is_running(os.getpid(), when)
    assert when is None or not is_running(os.getpid(), when - 1)
    assert start_time(2**22 + 1) is None  # more than Linux numbers


@pytest.mark.slow
def test_a_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    root = str(Path(__file__).resolve().parents[1])
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    with parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert is_running(worker)
        parent.kill()
    deadline = time.monotonic() + 20
    while is_running(worker):
        assert time.monotonic() < deadline
        time.sleep(0.01)
