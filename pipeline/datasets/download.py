"""From `source` in params.yaml to a data set's raw folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.datasets.crisismmd_source import (
    copy_layout,
    count_note,
    fetch_official,
    unpack_layout,
)
from pipeline.datasets.manifest import read_manifest
from pipeline.datasets.sample import write_crisismmd, write_youtube
from pipeline.datasets.vidi import fetch_vidi
from pipeline.datasets.youtube_source import fill_raw
from pipeline.ground.temporaries import remove_left_over, temporary_name


def fetch_crisismmd(source: str, raw: Path) -> str:
    """Fill `raw` with CrisisMMD's official layout; returns what was done, and a warning's line.

    `source` is `sample`, `official`, or a folder or .tar.gz that holds `annotations/` and, as far
    as there are any, `data_image/` and the official split files. Raises ValueError for a source
    that is neither, and for an official archive that cannot be fetched.
    """
    path = Path(source)
    if source == "sample":
        write: Callable[[Path], object] = write_crisismmd
    elif source == "official":
        write = lambda folder: unpack_layout(fetch_official(), folder)  # noqa: E731
    elif path.is_dir():
        write = lambda folder: copy_layout(path, folder)  # noqa: E731
    elif path.name.endswith((".tar.gz", ".tgz")) and path.is_file():
        write = lambda folder: unpack_layout(path, folder)  # noqa: E731
    else:
        raise ValueError(
            f"data.crisismmd.source is {source!r}: no such folder or .tar.gz; allowed: sample, "
            "official, or a path to CrisisMMD in its official layout"
        )
    with _replacing(raw) as folder:
        write(folder)
        note = f"\ncrisismmd: {count_note(folder)}" if source == "official" else ""
    photos = sum(1 for file in (raw / "data_image").rglob("*") if file.is_file())
    return f"crisismmd: {photos} photos from {source}{note}"


def fetch_youtube(source: str, raw: Path) -> str:
    """Fill `raw` with `manifest.csv` and `clips/`; returns one line on what was done.

    `source` is `sample`, `vidi`, or a manifest .csv. A clip that is not there or cannot be fetched
    keeps its row. Raises ValueError for anything else.
    """
    if source == "sample":
        with _replacing(raw) as folder:
            write_youtube(folder)
        return f"youtube: {len(read_manifest(raw / 'manifest.csv'))} clips from sample"
    if source != "vidi" and not source.endswith(".csv"):
        raise ValueError(
            f"data.youtube.source is {source!r}; allowed: sample, vidi, or a path to a manifest "
            ".csv"
        )
    with _replacing(raw) as folder:
        manifest, note = fetch_vidi() if source == "vidi" else (Path(source), "")
        missing = fill_raw(manifest, folder)
    told = "".join(f"; {part}" for part in (missing, note) if part)
    return f"youtube: {len(read_manifest(raw / 'manifest.csv'))} clips from {source}{told}"


@contextmanager
def _replacing(raw: Path) -> Iterator[Path]:
    """Fill a temporary folder that becomes `raw` only when it is whole.

    What a killed run left of such folders is removed.
    """
    raw.parent.mkdir(parents=True, exist_ok=True)
    remove_left_over(raw.parent, of=raw.name)
    temporary, old = temporary_name(raw), temporary_name(raw)
    temporary.mkdir()
    try:
        yield temporary
        # The old one is moved away first: a removal that is broken off would leave half of it.
        if raw.exists():
            os.replace(raw, old)
        os.replace(temporary, raw)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
