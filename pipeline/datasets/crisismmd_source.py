"""CrisisMMD's official layout, copied from a folder or unpacked from an archive."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath

from pipeline.datasets.crisismmd import EVENTS, read_annotations
from pipeline.datasets.official import copy_splits
from pipeline.datasets.raw_files import FAILURES, copy_file, require_file
from pipeline.ground.failures import Failure, write_failures
from pipeline.inputs.archive import unpack
from pipeline.inputs.pins import fetch_pin, read_pin

# Version 2.0 as published.
PUBLISHED = {"rows": 18_082, "tweets": 16_058, "events": 7}


def fill_crisismmd(source: Path, raw: Path) -> str:
    """Write `annotations/`, and the photos and `splits/` that the source has, into `raw`.

    `source` is a folder, a .tar.gz or a pin of one. Why a photo cannot be copied is in
    `failures.csv`. Returns a summary for the user. Raises ValueError for a source that is damaged,
    unsafe, or without annotations that can be read.
    """
    pinned = source.suffix == ".json"
    if source.is_dir():
        reasons = _copy_layout(source, raw)
    else:
        reasons = _unpack_layout(fetch_pin(read_pin(source)) if pinned else source, raw)
    failures = [
        Failure(Path(photo).stem, "visual", "not_copied", f"{photo} {reason}")
        for photo, reason in sorted(reasons.items())
    ]
    note = ""
    if failures:
        write_failures(raw / FAILURES, failures)
        note += f"; {len(failures)} not copied, the first: {failures[0].message}"
    photos = sum(1 for file in (raw / "data_image").rglob("*") if file.is_file())
    counts = f"\ncrisismmd: {_count_note(raw)}" if pinned else ""
    return f"{photos} photos from {source}{note}{counts}"


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


def _copy_layout(source: Path, raw: Path) -> dict[str, str]:
    """Copy the annotations, the photos that they name, and the splits.

    Returns by photo why it cannot be copied; a photo that does not exist is none of them.
    """
    _find_layout(source, source)
    for file in sorted((source / "annotations").iterdir()):
        if not file.is_dir():
            copy_file(require_file(file, source), source, raw / "annotations" / file.name)
    copy_splits(source, raw / "splits")
    reasons = {}
    for photo in read_annotations(source)["image_path"]:
        if os.path.lexists(source / photo):
            reasons[photo] = copy_file(source / photo, source, raw / photo)
    return {photo: reason for photo, reason in reasons.items() if reason}


def _unpack_layout(archive: Path, raw: Path) -> dict[str, str]:
    """Unpack an archive's annotations, photos and splits; returns as `_copy_layout`."""
    whole = raw / "unpacked"  # in `raw`, which is itself temporary: a later run removes it
    left_out = unpack(archive, whole)
    home = _find_layout(whole, archive)
    reasons = {os.path.relpath(whole / path, home): reason for path, reason in left_out.items()}
    for path, reason in reasons.items():
        if path.startswith("annotations/"):
            raise ValueError(f"{archive}: {path} {reason}; pack the file itself")
    try:
        photos = read_annotations(home)["image_path"]
    except ValueError as error:
        raise ValueError(str(error).replace(str(whole), str(archive))) from None
    copy_splits(home, raw / "splits")
    reasons |= {photo: "is a folder" for photo in photos if os.path.isdir(home / photo)}
    for name in ("annotations", "data_image"):
        if (home / name).is_dir():
            os.replace(home / name, raw / name)
    shutil.rmtree(whole)
    # A photo is left out with any folder above it.
    above = {photo: (photo, *map(str, PurePosixPath(photo).parents)) for photo in photos}
    return {photo: reasons[path] for photo in photos for path in above[photo] if path in reasons}


def _find_layout(folder: Path, source: Path) -> Path:
    """Return the only folder with annotations in `folder`; `source` is its name for the user."""
    homes = sorted({file.parent.parent for file in folder.rglob(f"annotations/{EVENTS}")})
    if not homes:
        raise ValueError(f"{source} holds no annotations/: not CrisisMMD's official layout")
    if len(homes) > 1:
        names = " and ".join(str((home / "annotations").relative_to(folder)) for home in homes)
        raise ValueError(f"{source} holds {names}; take a source with one of them")
    return homes[0]
