"""Single files on their way from a source into a raw folder, and why some of them are not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from errno import EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, EPERM
from pathlib import Path

from pipeline.ground.failures import Failure, read_failures

# In a raw folder: files that could not be fetched or copied. Absent if there are none.
FAILURES = "failures.csv"
# Other errors, such as too many open files, are the machine's.
_OF_THE_FILE = (EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, EPERM)


def copy_file(path: Path, root: Path, copy: Path) -> str | None:
    """Copy a readable file that lies below `root`, links included, to `copy`.

    Returns None, or why the file cannot be copied. OSError is left for the disk of `copy`.
    """
    reason = refusal(path, root)
    if reason is None:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return reason


def require_file(path: Path, root: Path) -> Path:
    """Return `path`; raises ValueError if it is not a readable file that lies below `root`."""
    if reason := refusal(path, root):
        raise ValueError(f"{path} {reason}; correct it or remove it")
    return path


def refusal(path: Path, root: Path) -> str | None:
    """Say why `path` is not copied from the source at `root`; None if it can be."""
    try:
        real = Path(os.path.realpath(path, strict=True))
        if not real.is_relative_to(root.resolve()):
            return f"leads out of the source, to {real}"
        if real.is_dir():
            return "is a folder"
        if not real.is_file():
            return "is neither a file nor a folder"
        real.open("rb").close()
    except OSError as error:
        if error.errno not in _OF_THE_FILE:
            raise
        return f"cannot be opened: {error.strerror}"
    return None


def with_reasons(raw: Path, missing: Iterable[Failure]) -> list[Failure]:
    """Replace the failures of missing files by those that filling the raw folder noted."""
    path = raw / FAILURES
    reasons = {failure.id: failure for failure in read_failures(path)} if path.is_file() else {}
    return [replace(reasons.get(f.id, f), modality=f.modality) for f in missing]
