"""CrisisMMD's official layout, copied from a folder or unpacked from an archive."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from pipeline.datasets.crisismmd import EVENTS, read_annotations
from pipeline.datasets.official import copy_splits
from pipeline.datasets.raw_files import copy_file, record_failures, require_file
from pipeline.ground.failures import Failure
from pipeline.inputs.archive import unpack
from pipeline.inputs.pins import fetch_pin, read_pin

# Version 2.0 as published.
PUBLISHED = {"rows": 18_082, "tweets": 16_058, "events": 7}


def fill_crisismmd(source: Path, raw: Path) -> str:
    """Write `annotations/`, and the photos and `splits/` that the source has, into `raw`.

    `source` is a folder, a .tar.gz or a pin of one. `failures.csv` says why a photo cannot be
    copied. Returns a summary for the user. Raises ValueError for a source that is damaged, unsafe,
    or without readable annotations.
    """
    pinned = source.suffix == ".json"
    if source.is_dir():
        _find_layout(source, source)
        reasons = _take_layout(source, raw, {}, shutil.copyfile)
    else:
        reasons = _unpack_layout(fetch_pin(read_pin(source)) if pinned else source, raw)
    failures = [
        Failure(Path(photo).stem, "visual", "not_copied", f"{photo} {reason}")
        for photo, reason in sorted(reasons.items())
    ]
    photos = sum(1 for file in (raw / "data_image").rglob("*") if file.is_file())
    counts = f"\ncrisismmd: {_count_note(raw)}" if pinned else ""
    return f"{photos} photos from {source}{record_failures(raw, failures)}{counts}"


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


def _unpack_layout(archive: Path, raw: Path) -> dict[str, str]:
    whole = raw / "unpacked"  # in `raw`, which is itself temporary: a later run removes it
    members = unpack(archive, whole)
    home = _find_layout(whole, archive)
    left_out = {os.path.relpath(whole / name, home): reason for name, reason in members.items()}
    for name, reason in left_out.items():
        if name.startswith("annotations/"):
            raise ValueError(f"{archive}: {name} {reason}; pack the file itself")
    try:
        reasons = _take_layout(home, raw, left_out, os.replace)
    except ValueError as error:
        raise ValueError(str(error).replace(str(whole), str(archive))) from None
    shutil.rmtree(whole)
    return reasons


def _take_layout(
    source: Path,
    raw: Path,
    left_out: Mapping[str, str],
    transfer: Callable[[Path, Path], object],
) -> dict[str, str]:
    """Transfer the annotations, the photos that they name, and the splits.

    Returns, by photo, why it was not transferred; photos that do not exist are not listed.
    `left_out` gives the reasons by path; a folder's reason holds for all photos below it.
    """
    tables = [require_file(table, source) for table in (source / "annotations").glob(EVENTS)]
    photos = read_annotations(source)["image_path"].map(PurePosixPath)
    (raw / "annotations").mkdir()
    for table in tables:
        transfer(table, raw / "annotations" / table.name)
    copy_splits(source, raw / "splits")
    reasons = dict[str, str]()
    for photo in photos:
        names = [str(path) for path in (photo, *photo.parents)]
        reason = next((left_out[name] for name in names if name in left_out), None)
        with suppress(FileNotFoundError):
            reason = reason or copy_file(source / photo, source, raw / photo, transfer)
        if reason:
            reasons[str(photo)] = reason
    return reasons


def _find_layout(folder: Path, source: Path) -> Path:
    """Return the only folder with annotations in `folder`; `source` is its name for the user."""
    homes = sorted({file.parent.parent for file in folder.rglob(f"annotations/{EVENTS}")})
    if not homes:
        raise ValueError(f"{source} holds no annotations/: not CrisisMMD's official layout")
    if len(homes) > 1:
        names = " and ".join(str((home / "annotations").relative_to(folder)) for home in homes)
        raise ValueError(f"{source} holds {names}; take a source with one of them")
    return homes[0]
