"""What DVC does not check: dvc.lock itself, the files that it names, and its cache.

DVC rewrites dvc.lock in place: a kill at that moment leaves it empty or cut off. It takes a file
for unchanged while size and time are the same, so that damage on the disk goes unnoticed. And it
ends with exit code 0 when its cache is full and an output is a folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from pipeline.ground.temporaries import write_bytes

LOCKS = (Path("dvc.lock"), Path("tables/dvc.lock"))
COPIES = Path(".dvc/tmp/hgfn")
KILLED = "DVC was killed while writing it; run `hgfn doctor --mend`"

Stages = dict[str, dict[str, Any]]


def begin_stage(name: str) -> None:
    """Copy each dvc.lock, then check the outputs of other stages that a stage depends on.

    DVC waits while a stage runs, so each dvc.lock is complete now. Raises ValueError for one that
    is damaged, and for an output that differs from it.
    """
    stages: Stages = {}
    for lock in filter(Path.is_file, LOCKS):
        stages |= read_lock(lock)
        write_bytes(COPIES / lock, lock.read_bytes())
    needed = {entry["path"] for entry in stages.get(name, {}).get("deps", ())}
    for path, digest in outputs(stages):
        if str(path) in needed and differs(path, digest):
            raise ValueError(
                f"{path}: not as its stage wrote it (dvc.lock): damaged or edited; delete it, then "
                f"run `dvc repro`, or accept an edit with `dvc commit -f {path}`"
            )


def read_lock(path: Path) -> Stages:
    """Return the stages of a dvc.lock; raises ValueError as `parse_lock` does."""
    return parse_lock(path, path.read_bytes())


def parse_lock(path: Path, data: bytes) -> Stages:
    """Return the stages of a dvc.lock's bytes; raises ValueError if they are not a whole one."""
    try:
        stages: Stages = YAML(typ="safe").load(data)["stages"]
        entries = [
            (Path(entry["path"]), entry[entry.get("hash", "path")])
            for stage in stages.values()
            for entry in (*stage.get("deps", ()), *stage.get("outs", ()))
        ]
    except (YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        entries = []
    if not entries or not data.endswith(b"\n"):
        if b"\n<<<<<<< " in data:
            raise ValueError(f"{path} holds a git conflict; resolve it, then run `dvc repro`")
        raise ValueError(f"{path} is empty or cut off: {KILLED}")
    return stages


def outputs(stages: Stages) -> Iterator[tuple[Path, str]]:
    """Yield each output with its MD5 in DVC's form."""
    for stage in stages.values():
        for entry in stage.get("outs", ()):
            # Entries of DVC before 3.0 have no `hash`: their MD5 is that of changed line ends.
            if entry.get("hash") == "md5" and "md5" in entry:
                yield Path(entry["path"]), entry["md5"]


def not_in_cache(root: Path) -> Iterator[str]:
    """Yield a line for each output that is as dvc.lock says, but not whole in DVC's cache.

    Raises ValueError where DVC cannot read the project.
    """
    # Imported here: dvc takes a second to load.
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            for out in repo.index.outs:
                # An output of another run need not be here: it can be pulled or made again.
                present = out.use_cache and out.hash_info and out.exists
                if present and not out.changed_checksum() and out.changed_cache():
                    yield (
                        f"{out.def_path} is not in DVC's cache (is its disk full?), and its next "
                        f"change loses it; free space, then run `dvc commit {out.stage.addressing}`"
                    )
    except DvcException as error:
        raise ValueError(f"DVC cannot read the project: {' '.join(str(error).split())}") from None


def differs(path: Path, digest: str) -> bool:
    """Return whether a file or folder is there and has another MD5."""
    return path.exists() and _md5(path) != digest


def _md5(path: Path) -> str:
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    # DVC's hash of a folder. Pipes and devices are left out: reading one may never end.
    files = [
        {"md5": _md5(file), "relpath": file.relative_to(path).as_posix()}
        for file in path.rglob("*")
        if file.is_file()
    ]
    listed = json.dumps(sorted(files, key=itemgetter("relpath")), sort_keys=True)
    return hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest() + ".dir"
