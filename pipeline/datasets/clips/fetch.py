"""One clip from a site: the wanted seconds, what is known about it, and whether all came."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av

from pipeline.datasets.clips.error import ClipError
from pipeline.datasets.clips.measure import measure
from pipeline.datasets.clips.one_clip import one_clip
from pipeline.datasets.clips.ranged import Changed
from pipeline.datasets.clips.site import FORMAT, Manners, Site
from pipeline.datasets.clips.site_ranges import NoRanges
from pipeline.datasets.clips.span import SUFFIX, cut
from pipeline.datasets.http.part import sha256_of

# Seconds that may be missing, at most half of a clip: sites round durations up to whole seconds.
SLACK = 1.0
ABOUT = "about.json"
# How many versions of a file that changes on the way are begun.
VERSIONS = 2
# What a stored clip is made like; a change makes all of them be fetched again.
RULE = f"1 {FORMAT}"


@dataclass(frozen=True)
class Wanted:
    """A clip to fetch: its address and the span in seconds, None for its beginning or end."""

    url: str
    start: float | None = None
    end: float | None = None

    @property
    def key(self) -> str:
        """Name of its place in the cache."""
        return hashlib.sha256(json.dumps([*asdict(self).values(), RULE]).encode()).hexdigest()


def fetch_into(work: Path, wanted: Wanted, manners: Manners) -> None:
    """Write a clip and what is known about it into an empty folder."""
    with Site(wanted.url, work / "whole", manners) as site, one_clip(wanted.url):
        info = site.look()
        path, offset = _parts(site, info, work, wanted) or _whole(site, info, work, wanted)
        _verify(path, offset, wanted, info.get("duration"))
    shutil.rmtree(work / "whole", ignore_errors=True)
    about = {
        **asdict(wanted),
        "file": path.name,
        "offset": offset,
        "text": _text(info),
        "sha256": sha256_of(path),
    }
    (work / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def _parts(
    site: Site, info: dict[str, Any], work: Path, wanted: Wanted
) -> tuple[Path, float] | None:
    """Fetch the wanted seconds alone; None where all is wanted, or the server gives no parts."""
    if wanted.start is None and wanted.end is None:
        return None
    path = work / f"clip{SUFFIX}"
    for _ in range(VERSIONS):
        try:
            return path, cut(site.open_ranges(info), path, wanted.start, wanted.end)
        except Changed:
            path.unlink(missing_ok=True)  # bytes of two versions
        except (NoRanges, av.FFmpegError, ValueError):
            # Not to be read in parts, or not joined: what is wrong with it the whole will tell.
            path.unlink(missing_ok=True)
            return None
    raise ClipError("download_failed", f"{wanted.url}: changed again while it was fetched")


def _whole(site: Site, info: dict[str, Any], work: Path, wanted: Wanted) -> tuple[Path, float]:
    """Fetch everything; several files are joined, and cut to the span where that is possible."""
    files = site.download(info)
    path = work / f"clip{SUFFIX}"
    try:
        if len(files) > 1 or wanted.start is not None or wanted.end is not None:
            return path, cut(files, path, wanted.start, wanted.end)
    except (av.FFmpegError, ValueError):
        path.unlink(missing_ok=True)
    # Bytes as they came: the rest of the pipeline tells what is wrong with them.
    largest = max(files, key=lambda file: file.stat().st_size)
    path = path.with_suffix(largest.suffix)
    os.replace(largest, path)
    return path, wanted.start or 0.0


def _verify(path: Path, offset: float, wanted: Wanted, duration: float | None) -> None:
    """Compare the seconds that came with those that were wanted; raises ClipError.

    Those of the picture, where there is one: sound may go on without it.
    """
    try:
        found = measure(path)
    except (av.FFmpegError, ValueError) as error:
        told = f"{wanted.url}: what came is no clip ({getattr(error, 'strerror', None) or error})"
        raise ClipError("download_failed", told) from None
    start = wanted.start or 0.0
    # Until its end: which the site tells, and the file does, of whichever stream is longer.
    end = (duration or 0.0) if wanted.end is None else wanted.end
    _compare(wanted.url, found.shown - offset, end - start)
    if start and found.shown <= offset:
        raise ClipError("download_failed", f"{wanted.url}: ends before second {start:g}")
    if wanted.end is None:
        _compare(wanted.url, found.held - offset, found.stated - offset)


def _compare(url: str, came: float, seconds: float) -> None:
    if max(came, 0.0) < seconds - min(SLACK, seconds / 2):
        told = f"{url}: {max(came, 0.0):.1f} of the {seconds:.1f} seconds wanted came"
        raise ClipError("download_failed", told)


def _text(info: dict[str, Any]) -> str:
    """Join title and description, as the site gives them."""
    parts = (str(info.get(key) or "").replace("\0", "").strip() for key in ("title", "description"))
    return "\n".join(part for part in parts if part)
