"""Clips from the web: fetched once, verified, and stored in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import av
from filelock import FileLock

from pipeline.datasets.clips.cut import SUFFIX, cut, measure
from pipeline.datasets.clips.failures import ClipError, isolate_errors
from pipeline.datasets.clips.ranges import PLAIN, NoRanges
from pipeline.datasets.clips.site import SEGMENTED_FORMAT, Site
from pipeline.inputs.fetch import sha256_of

# Seconds that may be missing, at most half of a clip: sites round durations up to whole seconds.
SLACK = 1.0
# Times in a cut file are rounded to milliseconds: a span is shortened by this much at both ends, so
# that it includes no frame from before or after it.
INSET = 0.001
ABOUT = "about.json"


@dataclass(frozen=True)
class ClipRequest:
    """A clip to fetch: its address and the span in seconds, None for its beginning or end."""

    url: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class StoredClip:
    """A clip's file, the seconds from its beginning to the requested start, and its text."""

    path: Path
    offset: float
    text: str

    def span(self, request: ClipRequest) -> tuple[float | None, float | None]:
        """Return where the requested seconds are in this file; None for its beginning or end."""
        start, end = None, None
        if request.start is not None or self.offset:
            start = round(self.offset + INSET, 3)
        if request.end is not None:
            end = round(self.offset + request.end - (request.start or 0.0) - INSET, 3)
        return start, end


class ClipCache:
    """The clips stored in `folder`, each complete or absent.

    `options` are YoutubeDL's; fetching one clip takes at most `longest` seconds.
    """

    def __init__(self, folder: Path, options: dict[str, Any], longest: float = 3600.0) -> None:
        self.folder = folder
        self.options = options
        self.longest = longest

    def find(self, request: ClipRequest) -> StoredClip | None:
        """Return a clip that is stored and undamaged; None for one that must be fetched."""
        place = self._place(request)
        try:
            about = json.loads((place / ABOUT).read_text(encoding="utf-8"))
            path = place / about["file"]
            if sha256_of(path) == about["sha256"]:
                return StoredClip(path, about["offset"], about["text"])
        # Other errors, such as too many open files, do not mean that the clip is missing.
        except (FileNotFoundError, ValueError, KeyError):
            pass
        return None

    def fetch(self, request: ClipRequest) -> StoredClip:
        """Return a clip, fetched if it is not stored yet; raises ClipError."""
        place = self._place(request)
        work = place.with_name(f"{place.name}.part")
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{place}.lock"):
            if (stored := self.find(request)) is not None:
                return stored
            # A killed run's files are not continued: they may be of another version.
            for left in (work, place):
                shutil.rmtree(left, ignore_errors=True)
            work.mkdir()
            try:
                clip = self._fetch_into(work, request)
                os.replace(work, place)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        return replace(clip, path=place / clip.path.name)

    def _place(self, request: ClipRequest) -> Path:
        # Clips that were fetched before segmented formats were allowed stay valid.
        rule = f"1 {self.options['format'].removesuffix(f'/{SEGMENTED_FORMAT}')}"
        key = json.dumps([*asdict(request).values(), rule])
        digest = hashlib.sha256(key.encode()).hexdigest()
        return self.folder / digest[:2] / digest

    def _fetch_into(self, work: Path, request: ClipRequest) -> StoredClip:
        """Write a clip and its description into an empty folder."""
        whole = work / "whole"
        with (
            isolate_errors(request.url),
            Site(request.url, whole, self.options, self.longest) as site,
        ):
            info = site.look_up()
            path, offset = _fetch_span(site, info, work, request) or _fetch_whole(
                site, info, work, request
            )
            _verify(path, offset, request, float(info.get("duration") or 0.0))
        shutil.rmtree(whole, ignore_errors=True)
        clip = StoredClip(path, offset, _text(info))
        about = {
            **asdict(request),
            "file": path.name,
            "offset": offset,
            "text": clip.text,
            "sha256": sha256_of(path),
        }
        (work / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        return clip


def _fetch_span(
    site: Site, info: dict[str, Any], work: Path, request: ClipRequest
) -> tuple[Path, float] | None:
    """Fetch only the requested seconds; None if no span is requested, or the whole is needed."""
    if request.start is None and request.end is None:
        return None
    path = work / f"clip{SUFFIX}"
    try:
        return path, cut(site.open_ranges(info), path, request.start, request.end)
    except (NoRanges, av.FFmpegError, ValueError):
        # If something is wrong with the clip, the whole file will show what.
        path.unlink(missing_ok=True)
        return None


def _fetch_whole(
    site: Site, info: dict[str, Any], work: Path, request: ClipRequest
) -> tuple[Path, float]:
    """Fetch everything, and cut it to the span where possible."""
    files = site.download(info)
    whole, path = files[0], work / f"clip{SUFFIX}"
    if info.get("protocol") not in PLAIN:
        whole = _join(files)
    if request.start is not None or request.end is not None:
        try:
            return path, cut([whole], path, request.start, request.end)
        except (av.FFmpegError, ValueError):
            path.unlink(missing_ok=True)  # _verify raises if something is wrong with the clip
    path = path.with_suffix(whole.suffix)
    os.replace(whole, path)
    return path, request.start or 0.0


def _join(files: list[Path]) -> Path:
    """Join picture and sound, and give segments an index of keyframes."""
    joined = files[0].with_name(f"joined{SUFFIX}")
    try:
        cut(files, joined, None, None)
    except (av.FFmpegError, ValueError):
        if len(files) > 1:
            raise
        return files[0]  # whose times of decoding go back, for example
    return joined


def _verify(path: Path, offset: float, request: ClipRequest, duration: float) -> None:
    """Compare the clip's seconds of picture (of sound, if there is none) with the requested ones.

    Raises ClipError if more than SLACK are missing.
    """
    received = measure(path)
    start = request.start or 0.0
    end = duration if request.end is None else request.end
    _compare(request.url, received.picture - offset, end - start)
    if start and received.picture <= offset:
        raise ClipError("download_failed", f"{request.url}: ends before second {start:g}")
    if request.end is None:  # the file states the end of its longest stream
        _compare(request.url, received.last - offset, received.stated - offset)


def _compare(url: str, received: float, seconds: float) -> None:
    if max(received, 0.0) < seconds - min(SLACK, seconds / 2):
        share = f"{max(received, 0.0):.1f} of the {seconds:.1f} requested seconds"
        raise ClipError("download_failed", f"{url}: {share} were received")


def _text(info: dict[str, Any]) -> str:
    """Join the site's title and description."""
    texts = (str(info.get(key) or "").replace("\0", "").strip() for key in ("title", "description"))
    return "\n".join(text for text in texts if text)
