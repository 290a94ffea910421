"""Processes: which run, and workers that end with the process that started them."""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process
from pathlib import Path


def is_running(process: int, since: int | None = None) -> bool:
    """Tell whether a process of this machine runs: the one that began at `since`, where given."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    status = _status(process)
    # In a container nobody may ask about an orphan that ended: its number stays taken.
    if status[:1] == ["Z"]:
        return False
    return since is None or began(process) in (since, None)


def began(process: int) -> int | None:
    """Return when a process began, in clock ticks since the machine did; None where nobody tells.

    Numbers of processes are given again, so that only both together name one.
    """
    status = _status(process)
    return int(status[19]) if status else None


def _status(process: int) -> list[str]:
    """Read Linux' columns on a process, from its state on; see `man 5 proc_pid_stat`."""
    try:
        # The name before them, in parentheses, may hold anything.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # no Linux, or ended just now
        return []


def end_with_parent() -> None:
    """Make this worker process end when its parent does, even when the parent is killed."""
    threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    # Without this a worker whose parent was killed would wait for work for ever.
    if parent := parent_process():
        parent.join()
        os._exit(1)
