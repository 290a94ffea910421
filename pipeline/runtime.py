"""Where and how fast things run, from the environment: never part of a result's identity."""

from __future__ import annotations

import os
import re
from pathlib import Path

from platformdirs import user_cache_path

# One thread inside a network, and more workers beside it for speed: sums of floats depend on how
# many threads share them, results must not.
THREADS = 1


def workers() -> int:
    """Number of processes to run side by side (HGFN_WORKERS, else one a core)."""
    return most_workers() or _cores()


def most_workers() -> int | None:
    """Number of processes that HGFN_WORKERS asks for; None where it leaves that open."""
    value = os.environ.get("HGFN_WORKERS", "")
    if not value:
        return None
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
    """Name of the extraction engine (HGFN_ENGINE: local, the default, or ray)."""
    value = os.environ.get("HGFN_ENGINE", "") or "local"
    if value not in ("local", "ray"):
        raise ValueError(f"HGFN_ENGINE is {value!r}; allowed: local, ray")
    return value


def cluster() -> str | None:
    """Address of the Ray cluster to extract on (RAY_ADDRESS); None: one is started here."""
    value = os.environ.get("RAY_ADDRESS", "")
    if value and not re.fullmatch(r"[^\s/:]+:\d{1,5}", value):
        raise ValueError(f"RAY_ADDRESS is {value!r}; allowed: host:port of a running cluster")
    return value or None


def cache_url() -> str | None:
    """Where the item cache is, if HGFN_CACHE is a URL (s3://bucket/prefix) and no folder."""
    value = os.environ.get("HGFN_CACHE", "")
    return value if "://" in value else None


def cache_folder() -> Path:
    """Folder of what this machine keeps between runs (HGFN_CACHE, else the user's cache folder).

    The item cache lies there too, unless `cache_url` says that it is elsewhere.
    """
    value = os.environ.get("HGFN_CACHE", "")
    return Path(value).expanduser() if value and not cache_url() else user_cache_path("hgfn")


def ytdlp_config() -> Path | None:
    """File of yt-dlp options for clips from the web (HGFN_YTDLP); None where none is given."""
    if os.environ.get("HGFN_COOKIES"):
        raise ValueError(
            "HGFN_COOKIES is no longer read; write `--cookies FILE` into a file and name it in "
            "HGFN_YTDLP (docs/youtube.md)"
        )
    value = os.environ.get("HGFN_YTDLP", "")
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.is_file():
        raise ValueError(f"HGFN_YTDLP is {value!r}; allowed: a yt-dlp configuration file")
    return path


def pause() -> float:
    """Seconds between two clips that are fetched from the web (HGFN_PAUSE, else 5)."""
    value = os.environ.get("HGFN_PAUSE", "") or "5"
    if not re.fullmatch(r"\d{1,4}(\.\d+)?", value):
        raise ValueError(f"HGFN_PAUSE is {value!r}; allowed: seconds from 0 to 9999")
    return float(value)


def mirror() -> str:
    """Address to fetch known files from instead of their own (HGFN_MIRROR, else empty)."""
    value = os.environ.get("HGFN_MIRROR", "").rstrip("/")
    if value and not value.startswith(("http://", "https://")):
        raise ValueError(f"HGFN_MIRROR is {value!r}; allowed: an http or https address")
    return value


def weights_folder() -> Path | None:
    """Folder with the networks' published files (HGFN_WEIGHTS); None where none is given."""
    value = os.environ.get("HGFN_WEIGHTS", "")
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise ValueError(f"HGFN_WEIGHTS is {value!r}; allowed: a folder of published weights")
    return folder
