"""CrisisMMD's official layout, copied from a folder or unpacked from an archive."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.datasets.crisismmd import read_annotations
from pipeline.datasets.official import copy_splits
from pipeline.inputs.archive import unpack
from pipeline.inputs.pins import fetch_pin, read_pin

FOLDERS = ("annotations", "data_image")
# Version 2.0 as published.
PUBLISHED = {"rows": 18_082, "tweets": 16_058, "events": 7}


def fill_crisismmd(source: Path, raw: Path) -> str:
    """Write `annotations/`, and `data_image/` and `splits/` if the source has them, into `raw`.

    `source` is a folder, a .tar.gz or a pin of one. Returns a summary for the user. Raises
    ValueError for a source that is damaged, unsafe, or without annotations.
    """
    pinned = source.suffix == ".json"
    if source.is_dir():
        _copy_layout(source, raw)
    else:
        _unpack_layout(fetch_pin(read_pin(source)) if pinned else source, raw)
    photos = sum(1 for file in (raw / "data_image").rglob("*") if file.is_file())
    counts = f"\ncrisismmd: {_count_note(raw)}" if pinned else ""
    return f"{photos} photos from {source}{counts}"


def _count_note(raw: Path) -> str:
    """Count rows, tweets and events; a warning if they differ from the published set's."""
    table = read_annotations(raw)
    events = table["image_path"].map(lambda path: path.split("/")[1])
    counts = {
        "rows": len(table),
        "tweets": table["tweet_id"].nunique(),
        "events": events.nunique(),
    }
    if counts == PUBLISHED:
        return _in_words(counts)
    return f"warning: {_in_words(counts)}, where {_in_words(PUBLISHED)} were published"


def _in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _copy_layout(source: Path, raw: Path) -> None:
    _check_layout(source, source)
    for name in FOLDERS:
        for file in _files_below(source / name):
            copy = raw / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    copy_splits(source, raw / "splits")


def _unpack_layout(archive: Path, raw: Path) -> None:
    whole = raw / "unpacked"  # in `raw`, which is itself temporary: a later run removes it
    unpack(archive, whole)
    homes = sorted(path.parent for path in whole.rglob("annotations") if path.is_dir())
    source = homes[0] if homes else whole
    _check_layout(source, archive)
    copy_splits(source, raw / "splits")
    for name in FOLDERS:
        if (source / name).is_dir():
            os.replace(source / name, raw / name)
    shutil.rmtree(whole)


def _check_layout(folder: Path, source: Path) -> None:
    if not (folder / "annotations").is_dir():
        raise ValueError(f"{source} holds no annotations/: not CrisisMMD's official layout")


def _files_below(folder: Path) -> Iterator[Path]:
    """List the files below a folder in order, through links too; none if it does not exist.

    Raises ValueError naming a link to nothing or to a folder that contains it, or a path that is
    neither a file nor a folder.
    """
    if folder.is_dir() or folder.is_symlink():
        yield from _below(folder, (folder.parent.resolve(),))


def _below(path: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        real = path.resolve()
        if any(folder.is_relative_to(real) for folder in above):
            raise ValueError(f"{path} leads to a folder that holds it; remove the link")
        for entry in sorted(path.iterdir()):
            yield from _below(entry, (*above, real))
    elif path.is_symlink():
        raise ValueError(
            f"{path} leads to {os.readlink(path)}, where nothing is; remove the link, or restore "
            "its target"
        )
    else:
        raise ValueError(f"{path} is neither a file nor a folder; remove it")
