"""From `source` in params.yaml to a data set's raw folder."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from pipeline.datasets.manifest import read_manifest
from pipeline.datasets.sample import write_crisismmd, write_youtube


def fetch_crisismmd(source: str, raw: Path) -> str:
    """Fill `raw` with CrisisMMD's official layout; returns one line on what was done.

    `source` is `sample`, or a folder or .tar.gz that holds `annotations/` and, as far as there are
    photos, `data_image/`. Raises ValueError for a source that is neither.
    """
    path = Path(source)
    if source == "sample":
        write: Callable[[Path], object] = write_crisismmd
    elif path.is_dir():
        write = lambda folder: _copy_layout(path, folder)  # noqa: E731
    elif path.name.endswith((".tar.gz", ".tgz")) and path.is_file():
        write = lambda folder: _unpack(path, folder)  # noqa: E731
    else:
        raise ValueError(
            f"data.crisismmd.source is {source!r}: no such folder or .tar.gz; allowed: sample, or "
            "a path to CrisisMMD in its official layout"
        )
    with _replacing(raw) as folder:
        write(folder)
    photos = sum(1 for file in (raw / "data_image").rglob("*") if file.is_file())
    return f"crisismmd: {photos} photos from {source}"


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


def _copy_layout(source: Path, raw: Path) -> None:
    for part in ("annotations", "data_image"):
        if (source / part).is_dir():
            shutil.copytree(source / part, raw / part)
    if not (raw / "annotations").is_dir():
        raise ValueError(f"{source} holds no annotations/: not CrisisMMD's official layout")


def _unpack(archive: Path, raw: Path) -> None:
    with tempfile.TemporaryDirectory(dir=raw.parent) as temporary:
        try:
            with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
                tar.extractall(temporary, filter="data")
                # gzip's checksum stands behind the last byte, which tar alone never reads.
                while stream.read(1 << 20):
                    pass
        except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise ValueError(f"{archive}: {error}; fetch it again") from None
        folders = sorted(path for path in Path(temporary).rglob("annotations") if path.is_dir())
        if not folders:
            raise ValueError(f"{archive} holds no annotations/: not CrisisMMD's official layout")
        _copy_layout(folders[0].parent, raw)


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
    """Fill a temporary folder that becomes `raw` only when it is whole."""
    raw.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=raw.parent, prefix=f".{raw.name}."))
    try:
        yield temporary
        temporary.chmod(0o755)
        if raw.exists():
            shutil.rmtree(raw)
        os.replace(temporary, raw)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
