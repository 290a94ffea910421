"""Where CrisisMMD's official layout comes from: a folder, an archive, or its authors' server."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pipeline import runtime
from pipeline.datasets.annotations import read_annotations
from pipeline.datasets.archive import is_archive, unpack
from pipeline.datasets.http.fetch_error import CURE, FetchError
from pipeline.datasets.http.pins import fetch_pinned
from pipeline.datasets.source_files import copy_files
from pipeline.datasets.split_files import copy_splits

URL = "https://crisisnlp.qcri.org/data/crisismmd/CrisisMMD_v2.0.tar.gz"
# About 1.9 GB.
LIMIT = 4 << 30
PARTS = ("annotations", "data_image")
# Of version 2.0, as published.
KNOWN = {"rows": 18_082, "tweets": 16_058, "events": 7}


def fetch_official() -> Path:
    """Fetch the official archive into the user's cache folder, once for all checkouts.

    Raises FetchError with one line where it cannot be reached or is not what it was.
    """
    archive = runtime.cache_folder() / "downloads" / URL.rpartition("/")[2]
    try:
        fetch_pinned(URL, archive, limit=LIMIT, check=_check_opening)
    except FetchError as error:
        if error.cure != CURE:
            raise
        local = "check the network, or set data.crisismmd.source to a local folder or .tar.gz"
        raise FetchError(error.url, error.what, local) from None
    return archive


def _check_opening(archive: Path) -> None:
    if not is_archive(archive):
        raise FetchError(URL, "what came is no .tar.gz")


def copy_layout(source: Path, raw: Path) -> None:
    """Copy a folder's annotations, photos and split files, as far as there are any, into `raw`.

    Raises ValueError for a folder without annotations, and as `files_below` does.
    """
    _check_layout(source, source)
    for part in PARTS:
        copy_files(source / part, raw / part)
    copy_splits(source, raw / "splits")


def unpack_layout(archive: Path, raw: Path) -> None:
    """Unpack an archive's annotations, photos and split files into `raw`.

    Raises ValueError for an archive that is damaged, not to be trusted, or without annotations.
    """
    with tempfile.TemporaryDirectory(dir=raw.parent) as temporary:
        whole = Path(temporary) / "whole"
        unpack(archive, whole)
        homes = sorted(path.parent for path in whole.rglob("annotations") if path.is_dir())
        source = homes[0] if homes else whole
        _check_layout(source, archive)
        copy_splits(source, raw / "splits")
        for part in PARTS:
            if (source / part).is_dir():
                os.replace(source / part, raw / part)


def _check_layout(source: Path, told: Path) -> None:
    if not (source / "annotations").is_dir():
        raise ValueError(f"{told} holds no annotations/: not CrisisMMD's official layout")


def count_note(raw: Path) -> str:
    """Tell how many rows, tweets and events there are, and warn where the published are others."""
    table = read_annotations(raw)
    events = table["image_path"].map(lambda path: path.split("/")[1])
    found = {
        "rows": len(table),
        "tweets": table["tweet_id"].nunique(),
        "events": events.nunique(),
    }
    told = ", ".join(f"{found[name]:,} {name}" for name in KNOWN)
    if found == KNOWN:
        return told
    known = ", ".join(f"{KNOWN[name]:,} {name}" for name in KNOWN)
    return f"warning: {told}, where {known} were published"
