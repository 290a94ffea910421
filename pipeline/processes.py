"""Worker processes that end with the process that started them."""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process


def end_with_parent() -> None:
    """Make this worker process end when its parent does, even when the parent is killed."""
    threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    # Without this a worker whose parent was killed would wait for work for ever.
    if parent := parent_process():
        parent.join()
        os._exit(1)
