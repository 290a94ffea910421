"""The raw folder of posts, copied from the manifest's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from pipeline.datasets.posts import (
    MANIFEST,
    TASKS,
    image_paths,
    read_labelled_posts,
    read_posts,
)
from pipeline.datasets.raw_files import copy_file, record_failures
from pipeline.ground.data_set import SEPARATOR
from pipeline.ground.failures import Failure
from pipeline.inputs.manifest import copy_manifest

FILES = "files"  # in a raw folder: the photos and videos


def fill_posts(source: Path, raw: Path) -> str:
    """Write `posts.csv`, `tasks.yaml` if there is one, and `files/` into `raw`.

    `source` is a folder with `posts.csv`, or a manifest; its paths are relative to its folder. A
    missing file keeps its path in the manifest and is counted; `failures.csv` says why a file
    cannot be copied. Returns a summary for the user. Raises ValueError for a wrong manifest, and if
    none of its files exists.
    """
    manifest = source / MANIFEST if source.is_dir() else source
    read_labelled_posts(manifest)  # labels are checked before anything is copied
    table = read_posts(manifest)
    files = table.apply(_files, axis=1)
    missing, reasons = _copy(sorted({path for paths in files for path in paths}), manifest, raw)
    if missing and not (raw / FILES).is_dir():
        raise ValueError(
            f"{manifest}: none of its files exists, the first would be {missing[0].absolute()}; "
            "paths are relative to the manifest"
        )
    for column in ("image", "video"):
        table[column] = table[column].map(_in_files, na_action="ignore")
    copy_manifest(table, raw / MANIFEST, manifest, read_posts)
    if (tasks := manifest.with_name(TASKS)).is_file():
        shutil.copyfile(tasks, raw / TASKS)
    failures = [
        Failure(name, "visual", "not_copied", "; ".join(map(reasons.__getitem__, refused)))
        for name, paths in zip(table["id"], files, strict=True)
        if (refused := [path for path in paths if path in reasons])
    ]
    return f"{len(table)} posts from {source}{record_failures(raw, failures, missing)}"


def _files(row: pd.Series) -> list[str]:
    return [*image_paths(row["image"] or ""), *filter(None, [row["video"]])]


def _in_files(value: str) -> str:
    return SEPARATOR.join(f"{FILES}/{path}" for path in image_paths(value))


def _copy(paths: list[str], manifest: Path, raw: Path) -> tuple[list[Path], dict[str, str]]:
    """Copy each file; returns the files that do not exist, and why others are not copied."""
    missing, reasons = [], {}
    for path in paths:
        file = manifest.parent / path
        try:
            if reason := copy_file(file, manifest.parent, raw / FILES / path):
                reasons[path] = f"{file} {reason}"
        except FileNotFoundError:
            missing.append(file)
    return missing, reasons
