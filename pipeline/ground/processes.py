"""Processes that run or end with their parent, and the processor that they run on."""

from __future__ import annotations

import os
import platform
import re
import threading
from multiprocessing import parent_process
from pathlib import Path

# A network runs on one thread, because sums of floats depend on the number of threads. More
# processes use more cores.
THREADS = 1


def processor_model() -> str:
    """Name the processor's model: oneDNN and MKL choose their order of sums by it."""
    info = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return model[1] if model else platform.processor() or platform.machine()


def is_running(process: int, started: int | None = None) -> bool:
    """Return whether a process of this machine runs.

    Process numbers are reused: with `started` (see `start_time`) only the process that started
    then counts.
    """
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, as another user
        pass
    status = _status(process)
    # A zombie: a container may never collect an orphan that has ended.
    if status[:1] == ["Z"]:
        return False
    return started is None or start_time(process) in (started, None)


def start_time(process: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None where it is not known."""
    status = _status(process)
    return int(status[19]) if status else None


def _status(process: int) -> list[str]:
    """Read the columns of /proc/<pid>/stat from the state on; see `man 5 proc_pid_stat`."""
    try:
        # The process's name, in parentheses before them, may contain anything.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # not Linux, or the process has just ended
        return []


def end_with_parent() -> None:
    """Make this worker process end when its parent does, even when the parent is killed."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    # Otherwise a worker whose parent was killed would wait for work forever.
    if parent := parent_process():
        parent.join()
        os._exit(1)
