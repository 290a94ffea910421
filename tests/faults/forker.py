"""Runs jobs in forked processes, so that a hundred kills cost one import of torch.

Reads a job a line (JSON: name, arguments, step, after, once) and writes its exit status. With a
step, the process kills itself before that operation on files; with `after`, it is killed after
these seconds, counted from when the file `once` is there, if one is named.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from typing import Any

import jobs
import librosa
import torch

OPERATIONS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.utime", "os.chmod")


def main() -> None:
    torch.set_num_threads(1)
    # What is imported at first use would be imported in each process.
    librosa.resample  # noqa: B018
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])
    for line in sys.stdin:
        job = json.loads(line)
        process = os.fork()
        if not process:
            run(job)
        print(watch(process, job), flush=True)


def watch(process: int, job: dict[str, Any]) -> int:
    """Kill a process when it is due; returns its exit status."""
    start = None
    while (status := ended(process)) is None:
        if start is None and (job["once"] is None or os.path.exists(job["once"])):
            start = time.monotonic()
        if None not in (job["after"], start) and time.monotonic() > start + job["after"]:
            os.kill(process, signal.SIGKILL)
    return status


def ended(process: int) -> int | None:
    """Return the exit status of a process; None while it runs."""
    time.sleep(0.001)
    which, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if which else None


def run(job: dict[str, Any]) -> None:
    if job["step"] is not None:
        die_at(job["step"], str(job["arguments"][0]))
    try:
        getattr(jobs, job["name"])(*map(jobs.argument, job["arguments"]))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def die_at(step: int, folder: str) -> None:
    count = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in OPERATIONS and folder in str(arguments[:2]):
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

    sys.addaudithook(watch)


if __name__ == "__main__":
    main()
