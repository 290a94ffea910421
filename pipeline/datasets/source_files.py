"""The files of a local source, with what its links lead to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path) -> Iterator[Path]:
    """List the files below a folder in order, through links too; none where it is not there.

    Raises ValueError naming a link that leads to nothing or to a folder that holds it, and what is
    neither a file nor a folder.
    """
    if folder.is_dir() or folder.is_symlink():
        yield from _below(folder, (_real(folder.parent),))


def copy_files(folder: Path, target: Path) -> None:
    """Copy the files below a folder, as files, to the same places below `target`."""
    for file in files_below(folder):
        copy = target / file.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def _below(path: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        real = _real(path)
        if any(folder.is_relative_to(real) for folder in above):
            raise ValueError(f"{path} leads to a folder that holds it; remove the link")
        for entry in sorted(path.iterdir()):
            yield from _below(entry, (*above, real))
    elif path.is_symlink():
        told = f"{path} leads to {os.readlink(path)}, where nothing is"
        raise ValueError(f"{told}; remove the link, or bring that back")
    else:
        raise ValueError(f"{path} is neither a file nor a folder; remove it")


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
