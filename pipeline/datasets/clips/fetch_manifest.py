"""The rows of a manifest whose clips are on the web."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from pipeline import runtime
from pipeline.datasets.clips.clip_cache import ClipCache, ClipRequest, StoredClip
from pipeline.datasets.clips.failures import ClipError
from pipeline.datasets.clips.site import RequestPolicy, read_options
from pipeline.ground.failures import Failure
from pipeline.ground.progress import progress
from pipeline.inputs.certificates import trust_system_certificates

# Kinds that concern a site, not one clip: after so many in a row it is not asked again.
GENERAL = ("network", "bot_check")
MOST_IN_A_ROW = 5


def fetch_clips(rows: list[dict[str, Any]], urls: Sequence[str], raw: Path) -> list[Failure]:
    """Fetch the clip of each row into `raw`/clips and adapt the row to what came, in place.

    Its span then counts from its own file's beginning, and an empty description becomes the
    site's. Returns the clips that are missing, and why; what came once is not requested again.
    Raises ValueError where the environment names a wrong yt-dlp configuration file.
    """
    trust_system_certificates()
    pause = runtime.pause()
    policy = RequestPolicy(read_options(runtime.ytdlp_config(), pause), pause)
    fetcher = _Fetcher(ClipCache(runtime.cache_folder() / "clips", policy))
    failures = []
    with progress("clips", len(rows)) as advance:
        for row, url in zip(rows, urls, strict=True):
            request = ClipRequest(url, _seconds(row["start"]), _seconds(row["end"]))
            try:
                _adapt(row, request, fetcher.get(request), raw)
            except ClipError as error:
                failures.append(Failure(row["id"], "clip", error.kind, str(error)))
                row["source"] = f"clips/{row['id']}.mkv"  # where it would be
            advance()
    return failures


class _Fetcher:
    """Clips one after the other, with pauses, and none of a site that fails for all of them."""

    def __init__(self, cache: ClipCache) -> None:
        self._cache = cache
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
            time.sleep(self._cache.policy.pause)
        self._requested = True
        try:
            clip = self._cache.fetch(request)
        except ClipError as error:
            self._failed[site] = (error.kind, count + 1 if error.kind == kind else 1)
            raise
        self._failed.pop(site, None)
        return clip


def _seconds(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _adapt(row: dict[str, Any], request: ClipRequest, clip: StoredClip, raw: Path) -> None:
    row["start"], row["end"] = clip.span(request)
    row["description"] = row["description"] or clip.text
    row["source"] = f"clips/{row['id']}{clip.path.suffix}"
    shutil.copyfile(clip.path, raw / row["source"])
