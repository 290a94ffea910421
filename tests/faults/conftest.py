"""Processes to kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


class Forker:
    """Starts jobs of jobs.py, each in a process of its own."""

    def __init__(self) -> None:
        paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "forker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )

    def run(
        self,
        name: str,
        *arguments: Path | int,
        step: int | None = None,
        after: float | None = None,
        once: Path | None = None,
    ) -> int:
        """Run a job, to its end or its kill; returns its exit status, negative for a signal."""
        listed = [value if isinstance(value, int) else str(value) for value in arguments]
        job = {"name": name, "arguments": listed, "step": step, "after": after}
        job["once"] = None if once is None else str(once)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    forker = Forker()
    yield forker
    forker.close()
