"""`hgfn doctor`: faults of a checkout that would otherwise be noticed hours later or never."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from pipeline import runtime
from pipeline.params import load_params


def diagnose(root: Path) -> Iterator[str]:
    """Yield one line for each fault below a project's root, with its cure."""
    yield from _settings(root)
    yield from _broken_lock(root)
    yield from _damaged_cache(root)


def _settings(root: Path) -> Iterator[str]:
    for check in (
        lambda: load_params(root / "params.yaml"),
        runtime.workers,
        runtime.device,
        runtime.engine,
    ):
        try:
            check()
        except ValueError as error:
            yield str(error)


def _broken_lock(root: Path) -> Iterator[str]:
    # A killed DVC can leave this file empty or half-written; every later command fails on it.
    lock = root / ".dvc" / "tmp" / "rwlock"
    try:
        json.loads(lock.read_bytes() if lock.is_file() else b"{}")
    except ValueError:
        yield f"{lock} is not JSON: DVC was killed while writing it; delete the file"


def _damaged_cache(root: Path) -> Iterator[str]:
    # DVC trusts its cache: a flipped bit there enters every checkout unnoticed.
    for path in sorted((_cache_folder(root) / "files" / "md5").glob("??/*")):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        if digest != path.parent.name + path.name.removesuffix(".dir"):
            yield f"{path} is damaged: delete it, then run `dvc repro` or `dvc pull`"


def _cache_folder(root: Path) -> Path:
    # Imported here: dvc takes a second to load.
    from dvc.config import Config

    configured = Config(str(root / ".dvc"), validate=False).get("cache", {}).get("dir")
    return Path(configured) if configured else root / ".dvc" / "cache"
