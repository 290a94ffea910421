"""From a data set's source to its raw folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.datasets.crisismmd_source import fill_crisismmd
from pipeline.datasets.source import check_source
from pipeline.datasets.youtube_source import fill_youtube
from pipeline.ground.temporaries import remove_left_over, temporary_name


def fetch_crisismmd(source: str, raw: Path) -> str:
    """Fill `raw` with CrisisMMD's official layout; returns what was done, for the user.

    Raises ValueError for a source that is none (see `check_source`) or cannot be read; then `raw`
    is as it was.
    """
    check_source("crisismmd", source)
    with _replacing(raw) as folder:
        note = fill_crisismmd(Path(source), folder)
    photos = sum(1 for file in (raw / "data_image").rglob("*") if file.is_file())
    return f"crisismmd: {photos} photos from {source}{note}"


def fetch_youtube(source: str, raw: Path) -> str:
    """Fill `raw` with `manifest.csv` and `clips/`; returns what was done, for the user.

    A clip that is missing or cannot be fetched keeps its row. Raises ValueError as
    `fetch_crisismmd` does, and where no clip at all could be had.
    """
    check_source("youtube", source)
    with _replacing(raw) as folder:
        clips, note = fill_youtube(Path(source), folder)
    return f"youtube: {clips} clips from {source}{note}"


@contextmanager
def _replacing(raw: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `raw` when the block ends well.

    What killed runs left of such folders is removed.
    """
    raw.parent.mkdir(parents=True, exist_ok=True)
    remove_left_over(raw.parent, of=raw.name)
    temporary, old = temporary_name(raw), temporary_name(raw)
    temporary.mkdir()
    try:
        yield temporary
        # Moved away before it is removed: an interrupted removal would leave half of it as `raw`.
        if raw.exists():
            os.replace(raw, old)
        os.replace(temporary, raw)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
