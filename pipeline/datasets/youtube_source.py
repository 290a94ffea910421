"""From a manifest of clips, here or on the web, to the raw folder."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.datasets.clips.fetch_manifest import fetch_clips
from pipeline.datasets.youtube import FAILURES
from pipeline.ground.failures import Failure, write_failures
from pipeline.inputs.manifest import address, read_manifest
from pipeline.inputs.pins import fetch_pin, read_pin

CURE = {
    "network": "check the network, then run again",
    "bot_check": "wait an hour or give cookies in HGFN_YTDLP (docs/youtube.md), then run again",
    "private": "give cookies in HGFN_YTDLP (docs/youtube.md), then run again",
}

Row = dict[str, Any]


def fill_youtube(source: Path, raw: Path) -> str:
    """Write `manifest.csv` and `clips/` into `raw`; returns what was done, for the user.

    `source` is a folder with `manifest.csv`, a manifest, or a pin of one. Local paths are relative
    to the manifest's folder. A clip that is missing keeps its row and is counted; why one cannot be
    fetched is in `failures.csv`. Raises ValueError if there is no clip at all.
    """
    manifest = _manifest(source)
    table = read_manifest(manifest)
    urls = [address(clip, manifest.parent) for clip in table["source"]]
    if any(urls) and "origin" not in table.columns:
        # Spans of one film become files of their own; a split must still keep them together.
        table["origin"] = table["source"]
    rows: list[Row] = table.to_dict("records")  # type: ignore[assignment]
    (raw / "clips").mkdir()
    local = [row for row, url in zip(rows, urls, strict=True) if url is None]
    remote = [row for row, url in zip(rows, urls, strict=True) if url]
    missing = _copy_local(local, remote, manifest, raw)
    failures = fetch_clips(remote, [url for url in urls if url], raw) if remote else []
    if not any((raw / "clips").iterdir()):
        raise ValueError(f"{manifest}: {_nothing(missing, failures)}")
    written = pd.DataFrame(rows, columns=table.columns, dtype=object)
    written.to_csv(raw / "manifest.csv", index=False, lineterminator="\n")
    if failures:
        write_failures(raw / FAILURES, failures)
    return f"{len(rows)} clips from {source}{_note(missing, failures)}"


def _manifest(source: Path) -> Path:
    if source.is_dir():
        return source / "manifest.csv"
    return fetch_pin(read_pin(source)) if source.suffix == ".json" else source


def _note(missing: list[Path], failures: list[Failure]) -> str:
    note = ""
    if failures:
        kinds = sorted(Counter(failure.kind for failure in failures).items())
        counts = ", ".join(f"{kind} {count}" for kind, count in kinds)
        note += f"; {len(failures)} not fetched ({counts})"
    if missing:
        note += f"; {len(missing)} not found, the first: {missing[0]}"
    return note


def _copy_local(rows: list[Row], fetched: list[Row], manifest: Path, raw: Path) -> list[Path]:
    """Copy each file once and rewrite the rows' sources; returns the files that do not exist.

    A file of the manifest's own `clips/` keeps its path, any other is named after the first id
    that names it. Raises ValueError where two files, or one and a fetched clip, get one name.
    """
    copies: dict[str, str] = {}
    names = {f"clips/{row['id']}" for row in fetched}
    missing: list[Path] = []
    for row in rows:
        path = manifest.parent / row["source"]
        if row["source"] not in copies:
            own = row["source"].startswith("clips/")
            copy = row["source"] if own else f"clips/{row['id']}{path.suffix}"
            if copy in names or (own and copy.removesuffix(path.suffix) in names):
                raise ValueError(f"{manifest}: two clips would be {copy}; rename {path}")
            names.add(copy)
            copies[row["source"]] = copy
            if path.is_file():
                (raw / copy).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, raw / copy)
            else:
                missing.append(path)
        row["source"] = copies[row["source"]]
    return missing


def _nothing(missing: list[Path], failures: list[Failure]) -> str:
    """Say why there is no clip at all, by the first one, and what to do."""
    if not failures:
        return (
            f"none of its clips is there, the first would be {missing[0].absolute()}; "
            "sources are relative to the manifest"
        )
    first = failures[0]
    cure = CURE.get(first.kind, "correct the sources")
    return f"none of its {len(failures)} clips could be fetched ({first.message}); {cure}"
