"""Environment variables: where and how fast things run. They never change a result."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from platformdirs import user_cache_path

# Folder in `cache_folder` of the states from which killed trainings resume.
CHECKPOINTS = "checkpoints"
_SECONDS = (r"\d{1,4}(\.\d+)?", "seconds from 0 to 9999")  # a pattern, and what it allows
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def workers() -> int:
    """Number of processes to run in parallel (HGFN_WORKERS, else one per core)."""
    return most_workers() or _cores()


def most_workers() -> int | None:
    """Number of processes set in HGFN_WORKERS; None if it is not set."""
    value = _checked("HGFN_WORKERS", r"\d*[1-9]\d*", "a whole number from 1")
    return int(value) if value else None


def _cores() -> int:
    # The cores that this process may use, if the system says so; a batch job may have few.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory() -> int:
    """Bytes of features to hold in memory (HGFN_MEMORY, as in 8GB; else half of what is free)."""
    value = os.environ.get("HGFN_MEMORY", "")
    return int(parse_size("HGFN_MEMORY", value)) if value else free_memory() // 2


def free_memory(root: Path = Path("/")) -> int:
    """Bytes that the machine has free, or less where a control group below `root` limits them."""
    return max(0, min([psutil.virtual_memory().available, *_free_in_groups(root)]))


def _free_in_groups(root: Path) -> Iterator[int]:
    """Yield what the process's control groups and their parents (version 1 and 2) leave."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for group in groups:
        _, controllers, name = group.split(":", 2)
        if controllers == "":
            mount, limit, used, cache = "", "memory.max", "memory.current", "inactive_file"
        elif controllers == "memory":
            mount, limit, used = "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            cache = "total_inactive_file"
        else:
            continue
        top = root / "sys/fs/cgroup" / mount
        folder = top / name.lstrip("/")
        for place in (folder, *folder.parents[: len(folder.parts) - len(top.parts)]):
            try:
                files = dict(s.split() for s in (place / "memory.stat").read_text().splitlines())
                free = int((place / limit).read_text()) - int((place / used).read_text())
                yield free + int(files.get(cache, 0))  # cached files make room
            except (OSError, ValueError):  # not mounted, or "max"
                continue


def parse_size(name: str, text: str) -> float:
    """Read a size in bytes, or in decimal units (`500MB`, `2GB`); ValueError with `name` else."""
    match = re.fullmatch(rf"(\d+(?:\.\d+)?)\s*({'|'.join(_UNITS)})?", text.upper())
    if not match:
        raise ValueError(f"{name} is {text!r}; allowed: a size, as in 500MB, 2GB, 1.5TB")
    return float(match[1]) * _UNITS[match[2] or "B"]


def size_text(size: int) -> str:
    """Write a size in decimal units: `2.0 GB`."""
    unit = [unit for unit in _UNITS if size >= _UNITS[unit] or unit == "B"][-1]
    return f"{size / _UNITS[unit]:.{0 if unit == 'B' else 1}f} {unit}"


def device() -> str:
    """Name of the torch device type (HGFN_DEVICE: cpu, the default, or cuda)."""
    return _checked("HGFN_DEVICE", "cpu|cuda", "cpu, cuda") or "cpu"


def engine() -> str:
    """Name of the extraction engine (HGFN_ENGINE: local, the default, or ray)."""
    return _checked("HGFN_ENGINE", "local|ray", "local, ray") or "local"


def cluster() -> str | None:
    """Address of the Ray cluster to extract on (RAY_ADDRESS); None: one is started here."""
    pattern = r"[^\s/:]+:\d{1,5}"
    return _checked("RAY_ADDRESS", pattern, "host:port of a running cluster") or None


def cache_url() -> str | None:
    """URL of the item cache (HGFN_CACHE, such as s3://bucket/prefix); None if it is a folder."""
    value = os.environ.get("HGFN_CACHE", "")
    return value if "://" in value else None


def cache_folder() -> Path:
    """Folder of caches on this machine (HGFN_CACHE, else the user's cache folder).

    It also holds the item cache, unless that is at `cache_url`.
    """
    value = os.environ.get("HGFN_CACHE", "")
    if not value or cache_url():
        return user_cache_path("hgfn")
    folder = Path(value).expanduser()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"HGFN_CACHE is {value!r}, a file; allowed: a folder or a URL")
    return folder


def ytdlp_config() -> Path | None:
    """File of yt-dlp options for clips from the web (HGFN_YTDLP); None if it is not set."""
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
    return float(_checked("HGFN_PAUSE", *_SECONDS) or 5)


def checkpoint_interval() -> float:
    """Seconds between two checkpoints of a training (HGFN_CHECKPOINT, else 60)."""
    return float(_checked("HGFN_CHECKPOINT", *_SECONDS) or 60)


def mirror() -> str:
    """Address to fetch pinned files from instead of their own (HGFN_MIRROR, else empty)."""
    return _checked("HGFN_MIRROR", "https?://[^/].*", "an http or https address").rstrip("/")


def hub_token() -> str | None:
    """Token for gated repositories of the Hugging Face hub (HF_TOKEN); None if it is not set."""
    value = os.environ.get("HF_TOKEN", "")
    if value and not re.fullmatch(r"[!-~]+", value):
        # Its value is not shown: it is a secret.
        raise ValueError("HF_TOKEN has spaces or other characters that no token has")
    return value or None


def weights_folder() -> Path | None:
    """Folder with published weight files (HGFN_WEIGHTS); None if it is not set."""
    value = os.environ.get("HGFN_WEIGHTS", "")
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise ValueError(f"HGFN_WEIGHTS is {value!r}; allowed: a folder of published weights")
    return folder


def _checked(name: str, pattern: str, allowed: str) -> str:
    """Return a variable's value, empty if it is not set; ValueError if it does not match."""
    value = os.environ.get(name, "")
    if value and not re.fullmatch(pattern, value):
        raise ValueError(f"{name} is {value!r}; allowed: {allowed}")
    return value
