"""A source's files copied into a raw folder, and the failures of those that cannot be."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from errno import EMFILE, ENFILE, ENOENT, ENOMEM
from pathlib import Path

from pipeline.ground.failures import Failure, read_failures, summary, write_failures

# In a raw folder: files that could not be fetched or copied. Absent if there are none.
FAILURES = "failures.csv"
# Errors that are not caused by the file.
_OF_THE_MACHINE = (EMFILE, ENFILE, ENOMEM)


def copy_file(
    path: Path, root: Path, copy: Path, transfer: Callable[[Path, Path], object] = shutil.copyfile
) -> str | None:
    """Copy a readable file to `copy`, or `transfer` it; links must not lead out of `root`.

    Returns None, or why the file cannot be copied. Raises FileNotFoundError if it does not
    exist, and any other OSError of the machine or of the disk of `copy`.
    """
    reason = _refusal(path, root)
    if reason is None:
        copy.parent.mkdir(parents=True, exist_ok=True)
        transfer(path, copy)
    return reason


def require_file(path: Path, root: Path) -> Path:
    """Return `path`; raises ValueError if it is not a readable file that lies below `root`."""
    if reason := _refusal(path, root):
        raise ValueError(f"{path} {reason}; correct it or remove it")
    return path


def _refusal(path: Path, root: Path) -> str | None:
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
        absent = error.errno == ENOENT and not path.is_symlink()
        if absent or error.errno in _OF_THE_MACHINE:
            raise
        return f"cannot be opened: {error.strerror}"
    return None


def record_failures(raw: Path, failures: Sequence[Failure], missing: Sequence[Path] = ()) -> str:
    """Write a raw folder's `failures.csv`, if there are any, and return a note for the user.

    `missing` are files that do not exist; the index counts them.
    """
    note = ""
    if failures:
        write_failures(raw / FAILURES, failures)
        note = f"; {summary(failures)}, the first: {failures[0].message}"
    if missing:
        note += f"; {len(missing)} not found, the first: {missing[0]}"
    return note


def with_reasons(raw: Path, missing: Iterable[Failure]) -> list[Failure]:
    """Replace the failures of missing files by those that `record_failures` wrote."""
    path = raw / FAILURES
    reasons = {failure.id: failure for failure in read_failures(path)} if path.is_file() else {}
    return [replace(reasons.get(f.id, f), modality=f.modality) for f in missing]
