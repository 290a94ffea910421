"""From `source` in params.yaml to a data set's raw folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from pipeline.datasets.crisismmd_source import (
    copy_layout,
    count_note,
    fetch_official,
    unpack_layout,
)
from pipeline.datasets.manifest import read_manifest
from pipeline.datasets.sample import write_crisismmd, write_youtube
from pipeline.temporaries import remove_left_over, temporary_name


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

    `source` is `sample`, or a manifest .csv whose sources are paths (relative to the manifest).
    A clip that is not there keeps its row. Raises ValueError for anything else.
    """
    if source == "sample":
        with _replacing(raw) as folder:
            write_youtube(folder)
        return f"youtube: {len(read_manifest(raw / 'manifest.csv'))} clips from sample"
    if not source.endswith(".csv"):
        raise ValueError(
            f"data.youtube.source is {source!r}; allowed: sample, or a path to a manifest .csv"
        )
    with _replacing(raw) as folder:
        missing = _copy_clips(Path(source), folder)
    told = f"; {len(missing)} not found, the first: {missing[0]}" if missing else ""
    return f"youtube: {len(read_manifest(raw / 'manifest.csv'))} clips from {source}{told}"


def _copy_clips(manifest: Path, raw: Path) -> list[Path]:
    table = read_manifest(manifest)
    (raw / "clips").mkdir()
    copies: dict[str, str] = {}
    missing: list[Path] = []
    for row, (identity, source) in enumerate(zip(table["id"], table["source"], strict=True)):
        if "://" in source:
            raise ValueError(
                f"{manifest}: row {row + 2}, source is {source!r}; give the path of a local clip"
            )
        if source in copies:
            continue
        path = manifest.parent / source
        copies[source] = f"clips/{identity}{path.suffix}"
        if path.is_file():
            shutil.copyfile(path, raw / copies[source])
        else:
            missing.append(path)
    if len(missing) == len(copies):
        raise ValueError(
            f"{manifest}: none of its clips is there, the first would be {missing[0].absolute()}; "
            "sources are relative to the manifest"
        )
    _write_manifest(table.assign(source=table["source"].map(copies)), raw / "manifest.csv")
    return missing


def _write_manifest(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, lineterminator="\n")


@contextmanager
def _replacing(raw: Path) -> Iterator[Path]:
    """Fill a temporary folder that becomes `raw` only when it is whole.

    What a killed run left of such folders is removed.
    """
    raw.parent.mkdir(parents=True, exist_ok=True)
    remove_left_over(raw.parent, of=raw.name)
    temporary = temporary_name(raw)
    temporary.mkdir()
    try:
        yield temporary
        if raw.exists():
            shutil.rmtree(raw)
        os.replace(temporary, raw)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
