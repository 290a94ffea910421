"""The raw folder of clips, filled from a manifest: local clips are copied, others fetched."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from pipeline import runtime
from pipeline.datasets.clips.clip_cache import ClipCache, ClipRequest, StoredClip
from pipeline.datasets.clips.failures import ClipError
from pipeline.datasets.clips.site import read_options
from pipeline.datasets.raw_files import copy_file, record_failures
from pipeline.ground.failures import Failure
from pipeline.ground.progress import progress
from pipeline.inputs.certificates import system_certificates
from pipeline.inputs.manifest import address, copy_manifest, read_manifest
from pipeline.inputs.pins import fetch_pin, read_pin
from pipeline.inputs.tables import refuse

# Kinds that concern a site, not one clip: after MOST_IN_A_ROW of them it gets no more requests.
GENERAL = ("network", "bot_check")
MOST_IN_A_ROW = 5
CURE = {
    "network": "check the network, then run again",
    "bot_check": "wait an hour or give cookies in HGFN_YTDLP (docs/youtube.md), then run again",
    "private": "give cookies in HGFN_YTDLP (docs/youtube.md), then run again",
}

Row = dict[str, Any]


def fill_youtube(source: Path, raw: Path) -> str:
    """Write `manifest.csv` and `clips/` into `raw`; returns a summary for the user.

    `source` is a folder with `manifest.csv`, a manifest, or a pin of one. Local paths are relative
    to the manifest's folder; a pinned manifest may have none. A missing clip keeps its row and is
    counted; `failures.csv` says why one cannot be copied or fetched. Raises ValueError if there is
    no clip at all.
    """
    manifest = source / "manifest.csv" if source.is_dir() else source
    if pinned := manifest.suffix == ".json":
        manifest = fetch_pin(read_pin(source))
    table = read_manifest(manifest)
    urls = [address(clip, manifest.parent) for clip in table["source"]]
    if pinned:  # a fetched manifest must not name the user's files
        allowed = (
            f"an http(s) URL or a YouTube id in the manifest that {source} pins; for files of your "
            "own give a local one"
        )
        refuse(manifest, table["source"], pd.Series(urls).isna(), allowed)
    if any(urls) and "origin" not in table.columns:
        # Spans of one film become separate files, but must stay on one side of the split.
        table["origin"] = table["source"]
    rows: list[Row] = table.to_dict("records")  # type: ignore[assignment]
    (raw / "clips").mkdir()
    local = [row for row, url in zip(rows, urls, strict=True) if url is None]
    remote = [row for row, url in zip(rows, urls, strict=True) if url]
    missing, failures = _copy_local(local, remote, manifest, raw)
    failures += _fetch_remote(remote, [url for url in urls if url], raw) if remote else []
    if not any((raw / "clips").iterdir()):
        raise ValueError(f"{manifest}: {_nothing(missing, failures)}")
    copy = pd.DataFrame(rows, columns=table.columns, dtype=object)
    copy_manifest(copy, raw / "manifest.csv", manifest)
    return f"{len(rows)} clips from {source}{record_failures(raw, failures, missing)}"


def _copy_local(
    rows: list[Row], fetched: list[Row], manifest: Path, raw: Path
) -> tuple[list[Path], list[Failure]]:
    """Copy each file once and rewrite the rows' sources.

    Returns the files that do not exist, and a failure for each row whose file cannot be copied.
    Raises ValueError if two files, or a file and a fetched clip, get one name.
    """
    names = {f"clips/{row['id']}" for row in fetched}
    copies: dict[str, str] = {}
    reasons: dict[str, str] = {}
    missing: list[Path] = []
    for row in rows:
        source = row["source"]
        if source in copies:
            continue
        path = manifest.parent / source
        copies[source] = _name_of_copy(row, path, names, manifest)
        # An absolute path names its own folder: links must not lead out of that.
        root = path.parent if Path(source).is_absolute() else manifest.parent
        try:
            if reason := copy_file(path, root, raw / copies[source]):
                reasons[source] = f"{path} {reason}"
        except FileNotFoundError:
            missing.append(path)
    failures = [
        Failure(row["id"], "clip", "not_copied", reasons[row["source"]])
        for row in rows
        if row["source"] in reasons
    ]
    for row in rows:
        row["source"] = copies[row["source"]]
    return missing, failures


def _name_of_copy(row: Row, path: Path, names: set[str], manifest: Path) -> str:
    """Return where in the raw folder a row's file goes, and add that to `names`.

    A file in the manifest's own `clips/` keeps its path; any other gets the row's id.
    """
    own = row["source"].startswith("clips/")
    copy = str(row["source"] if own else f"clips/{row['id']}{path.suffix}")
    if copy in names or (own and copy.removesuffix(path.suffix) in names):
        raise ValueError(f"{manifest}: two clips would be copied to {copy}; rename {path}")
    names.add(copy)
    return copy


def _fetch_remote(rows: list[Row], urls: list[str], raw: Path) -> list[Failure]:
    """Fetch the clip of each row into `raw`/clips, and change the row to fit the file.

    The span then counts from the file's beginning, and an empty description becomes the site's.
    """
    pause = runtime.pause()
    options = read_options(runtime.ytdlp_config(), pause)
    fetcher = _Fetcher(ClipCache(runtime.cache_folder() / "clips", options), pause)
    failures = []
    with system_certificates(), progress("clips", len(rows)) as advance:
        for row, url in zip(rows, urls, strict=True):
            request = ClipRequest(url, _seconds(row["start"]), _seconds(row["end"]))
            try:
                clip = fetcher.get(request)
            except ClipError as error:
                failures.append(Failure(row["id"], "clip", error.kind, str(error)))
                row["source"] = f"clips/{row['id']}.mkv"  # where it would be
            else:
                row["start"], row["end"] = clip.span(request)
                row["description"] = row["description"] or clip.text
                row["source"] = f"clips/{row['id']}{clip.path.suffix}"
                shutil.copyfile(clip.path, raw / row["source"])
            advance()
    return failures


def _seconds(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


class _Fetcher:
    """Fetches clips one after the other, with pauses; gives up a site that fails for all."""

    def __init__(self, cache: ClipCache, pause: float) -> None:
        self._cache = cache
        self._pause = pause
        self._failed: dict[str, tuple[str, int]] = {}  # by site the last kind, and how often
        self._requested = False

    def get(self, request: ClipRequest) -> StoredClip:
        """Return a clip, stored or fetched after a pause; raises ClipError."""
        return self._cache.find(request) or self._fetch(request)

    def _fetch(self, request: ClipRequest) -> StoredClip:
        site = str(urlsplit(request.url).hostname)
        kind, count = self._failed.get(site, ("", 0))
        if kind in GENERAL and count >= MOST_IN_A_ROW:
            message = f"not requested after {MOST_IN_A_ROW} such failures in a row"
            raise ClipError(kind, f"{request.url}: {message}")
        if self._requested:
            time.sleep(self._pause)
        self._requested = True
        try:
            clip = self._cache.fetch(request)
        except ClipError as error:
            self._failed[site] = (error.kind, count + 1 if error.kind == kind else 1)
            raise
        self._failed.pop(site, None)
        return clip


def _nothing(missing: list[Path], failures: list[Failure]) -> str:
    """Say why there is no clip at all, from the first failure, and what to do."""
    if not failures:
        return (
            f"none of its clips exists, the first would be {missing[0].absolute()}; "
            "sources are relative to the manifest"
        )
    first = failures[0]
    cure = CURE.get(first.kind, "correct the sources")
    done = "copied" if first.kind == "not_copied" else "fetched"
    return f"none of its {len(failures)} clips could be {done} ({first.message}); {cure}"
