"""`hgfn doctor`: faults of a checkout that would otherwise be noticed hours later or never."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from pipeline import runtime
from pipeline.extractors.registry import check_encoder
from pipeline.ground.data_set import MODALITIES
from pipeline.ground.dvc_files import (
    COPIES,
    KILLED,
    LOCKS,
    differs,
    not_in_cache,
    outputs,
    parse_lock,
    read_lock,
)
from pipeline.ground.progress import progress
from pipeline.ground.temporaries import write_bytes
from pipeline.models.fusion import FUSIONS, fusion_class
from pipeline.mtl import METHODS, method_class
from pipeline.params import Params, check_component, load_params

_ENVIRONMENT = (
    runtime.workers,
    runtime.device,
    runtime.engine,
    runtime.cluster,
    runtime.cache_folder,
    runtime.memory,
    runtime.checkpoint_interval,
    runtime.ytdlp_config,
    runtime.pause,
    runtime.mirror,
    runtime.weights_folder,
)


def diagnose(root: Path) -> Iterator[str]:
    """Yield one line for each fault below a project's root, with its cure."""
    fault_of_params = _fault(lambda: check_params(root / "params.yaml"))
    yield from filter(None, (fault_of_params, *map(_fault, _ENVIRONMENT)))
    damaged = dict(_left_by_kill(root))
    yield from damaged.values()
    if not damaged:
        yield from _damaged_outputs(root)
        # DVC, too, reads params.yaml, and it does not bound what it reads.
        if any(_locks(root)) and not fault_of_params:
            try:
                yield from not_in_cache(root)
            except ValueError as error:
                yield str(error)
    yield from _damaged_cache(root)


def mend(root: Path) -> Iterator[str]:
    """Restore what a killed DVC left empty or cut off; yields a line for each file.

    Raises ValueError while DVC runs, and where it has no project.
    """
    # Imported here: dvc takes a second to load.
    from dvc.lock import LockError, make_lock

    folder = root / ".dvc" / "tmp"
    if not folder.parent.is_dir():
        raise ValueError(f"{folder.parent}: no such folder; run from the project's root")
    folder.mkdir(exist_ok=True)
    try:
        with make_lock(str(folder / "lock"), tmp_dir=str(folder)):
            damaged = dict(_left_by_kill(root))
            yield from (_mend(root, path, fault) for path, fault in damaged.items())
            if not damaged:
                yield "nothing to mend"
    except LockError:
        raise ValueError("DVC is running; mend its files when it has ended") from None


def check_params(path: Path = Path("params.yaml")) -> Params:
    """Read params.yaml and check it against the schema, its encoders, its fusion and its method.

    Raises ValueError with one line that names the key.
    """
    params = load_params(path)
    try:
        for modality in MODALITIES:
            check_encoder(modality, getattr(params.features, modality))
        check_component("fusion", params.fusion, FUSIONS, fusion_class)
        check_component("mtl", params.mtl, METHODS, method_class)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return params


def _fault(check: Callable[[], object]) -> str:
    """Return the message of a check that fails, else an empty text."""
    try:
        check()
    except ValueError as error:
        return str(error)
    return ""


def _left_by_kill(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file that DVC was writing when it was killed, and a message."""
    # Every later command of DVC fails on these files.
    rwlock = root / ".dvc" / "tmp" / "rwlock"
    try:
        json.loads(rwlock.read_bytes() if rwlock.is_file() else b"{}")
    except ValueError:
        yield rwlock, f"{rwlock} is not JSON: {KILLED}"
    for lock in _locks(root):
        try:
            if _lacks_stages(root, lock):
                yield lock, f"{lock} is cut off after a stage: {KILLED}"
        except ValueError as error:
            yield lock, str(error)


def _lacks_stages(root: Path, lock: Path) -> bool:
    # Cut off between two entries, the file is still whole for YAML and DVC. DVC itself only adds
    # stages; an older commit that was checked out may have fewer.
    stages, copy = read_lock(lock), root / COPIES / lock.relative_to(root)
    try:
        before = read_lock(copy) if copy.is_file() else {}
    except ValueError:  # the copy is damaged
        return False
    committed = (data for _, data in _copies(root, lock.relative_to(root)))
    return not before.keys() <= stages.keys() and lock.read_bytes() not in committed


def _mend(root: Path, path: Path, fault: str) -> str:
    if KILLED not in fault:
        return fault
    if path.name == "rwlock":
        path.unlink()
        return f"{path}: deleted; DVC writes it again"
    for source, data in _copies(root, path.relative_to(root)):
        try:
            parse_lock(path, data)
        except ValueError:
            continue
        write_bytes(path, data)
        return f"{path}: restored from {source}; run `dvc repro`"
    path.unlink()
    return f"{path}: deleted, as there is no good copy in {COPIES} or git; run `dvc repro`"


def _copies(root: Path, lock: Path) -> Iterator[tuple[str, bytes]]:
    copy = root / COPIES / lock
    if copy.is_file():
        yield f"{copy}, the copy made when the last stage began", copy.read_bytes()
    with suppress(FileNotFoundError):  # git is not installed
        head = subprocess.run(["git", "show", f"HEAD:./{lock}"], cwd=root, capture_output=True)
        yield "git's HEAD", head.stdout


def _locks(root: Path) -> Iterator[Path]:
    return filter(Path.is_file, (root / lock for lock in LOCKS))


def _damaged_outputs(root: Path) -> Iterator[str]:
    """Yield a line for each output that differs from dvc.lock."""
    written = [entry for lock in _locks(root) for entry in outputs(read_lock(lock))]
    with progress("outputs", len(written)) as advance:
        for path, digest in written:
            if differs(root / path, digest):
                yield (
                    f"{root / path} is not as dvc.lock says: run `dvc repro` after an edit or an "
                    "unfinished run; otherwise it is damaged: delete it first"
                )
            advance()


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
