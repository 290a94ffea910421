"""Processes: which run, and workers that end with the process that started them."""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process
from pathlib import Path


def is_running(process: int) -> bool:
    """Tell whether a process of this machine runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return not _waits_for_burial(process)


def _waits_for_burial(process: int) -> bool:
    # In a container nobody may ask about an orphan that ended: its number stays taken.
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:  # no Linux, or ended just now
        return False
    return status.rpartition(")")[2].split()[0] == "Z"


def end_with_parent() -> None:
    """Make this worker process end when its parent does, even when the parent is killed."""
    threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    # Without this a worker whose parent was killed would wait for work for ever.
    if parent := parent_process():
        parent.join()
        os._exit(1)
