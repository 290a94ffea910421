"""Where and how fast things run, from the environment: never part of a result's identity."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

# One thread inside a network, and more workers beside it for speed: sums of floats depend on how
# many threads share them, results must not.
THREADS = 1


def workers() -> int:
    """Number of processes that extract features (HGFN_WORKERS, else one a core)."""
    value = os.environ.get("HGFN_WORKERS", "")
    if not value:
        return _cores()
    if not value.isdecimal() or int(value) < 1:
        raise ValueError(f"HGFN_WORKERS is {value!r}; allowed: a whole number from 1")
    return int(value)


def _cores() -> int:
    # What this process may use, where the system tells; a batch job often has fewer than all.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def device() -> str:
    """Name of the torch device type (HGFN_DEVICE: cpu, the default, or cuda)."""
    value = os.environ.get("HGFN_DEVICE", "") or "cpu"
    if value not in ("cpu", "cuda"):
        raise ValueError(f"HGFN_DEVICE is {value!r}; allowed: cpu, cuda")
    return value


def engine() -> str:
    """Name of the extraction engine (HGFN_ENGINE: local)."""
    value = os.environ.get("HGFN_ENGINE", "") or "local"
    if value != "local":
        raise ValueError(f"HGFN_ENGINE is {value!r}; allowed: local")
    return value


def cache_folder() -> Path:
    """Folder of the item cache (HGFN_CACHE, else the user's cache folder)."""
    value = os.environ.get("HGFN_CACHE", "")
    return Path(value).expanduser() if value else user_cache_path("hgfn")


def mirror() -> str:
    """Address to fetch known files from instead of their own (HGFN_MIRROR, else empty)."""
    value = os.environ.get("HGFN_MIRROR", "").rstrip("/")
    if value and not value.startswith(("http://", "https://")):
        raise ValueError(f"HGFN_MIRROR is {value!r}; allowed: an http or https address")
    return value
