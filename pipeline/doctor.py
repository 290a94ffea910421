"""`hgfn doctor`: faults of a checkout that would otherwise be noticed hours later or never."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from pipeline import runtime
from pipeline.models.fusion import FUSIONS, fusion_class
from pipeline.mtl import METHODS, method_class
from pipeline.params import Params, check_component, load_params

_ENVIRONMENT = (
    runtime.workers,
    runtime.device,
    runtime.engine,
    runtime.cluster,
    runtime.cache_folder,
    runtime.ytdlp_config,
    runtime.pause,
    runtime.mirror,
    runtime.weights_folder,
)


def diagnose(root: Path) -> Iterator[str]:
    """Yield one line for each fault below a project's root, with its cure."""
    for check in (lambda: check_params(root / "params.yaml"), *_ENVIRONMENT):
        try:
            check()
        except ValueError as error:
            yield str(error)
    yield from _broken_lock(root)
    yield from _damaged_cache(root)


def check_params(path: Path = Path("params.yaml")) -> Params:
    """Read params.yaml and check it against the schema, and against its fusion and its method.

    Raises ValueError with one line that names the key.
    """
    params = load_params(path)
    check_component("fusion", params.fusion, FUSIONS, fusion_class)
    check_component("mtl", params.mtl, METHODS, method_class)
    return params


def _broken_lock(root: Path) -> Iterator[str]:
    # A killed DVC can leave this file empty or half-written; every later command fails on it.
    lock = root / ".dvc" / "tmp" / "rwlock"
    try:
        json.loads(lock.read_bytes() if lock.is_file() else b"{}")
    except ValueError:
        yield f"{lock} is not JSON: DVC was killed while writing it; delete the file"
    except OSError as error:
        yield f"{lock} cannot be read: {error.strerror}; correct its permissions"


def _damaged_cache(root: Path) -> Iterator[str]:
    try:
        folder = _cache_folder(root)
    except ValueError as error:
        yield str(error)
        return
    # DVC trusts its cache: a flipped bit there enters every checkout unnoticed.
    for path in sorted((folder / "files" / "md5").glob("??/*")):
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "md5").hexdigest()
        except OSError as error:
            yield f"{path} cannot be read: {error.strerror}; correct its permissions, or delete it"
            continue
        if digest != path.parent.name + path.name.removesuffix(".dir"):
            yield f"{path} is damaged: delete it, then run `dvc repro` or `dvc pull`"


def _cache_folder(root: Path) -> Path:
    # Imported here: dvc takes a second to load.
    from dvc.config import Config

    try:
        configured = Config(str(root / ".dvc"), validate=False).get("cache", {}).get("dir")
    except Exception as error:  # dvc and its parser raise kinds of errors of their own
        message = " ".join(str(error).split())
        raise ValueError(f"{root / '.dvc'}: {message}; correct its config files") from None
    return Path(configured) if configured else root / ".dvc" / "cache"
