"""torch's want of memory, told as the fault of the machine that it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_memory(doing: str) -> Iterator[None]:
    """Turn torch's want of memory into a MemoryError that says what was being done, and the cure.

    On a CPU torch raises a bare RuntimeError for it, to be known by its words alone.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        cure = "use a GPU with more memory, or HGFN_DEVICE=cpu"
        raise MemoryError(f"{doing}: the GPU has no memory left; {cure}") from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        cure = "use fewer HGFN_WORKERS and run again"
        raise MemoryError(f"{doing}: no memory left; {cure}") from error
