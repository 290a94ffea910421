"""Clips from the web: fetched once, verified, and kept in the user's cache folder."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from pipeline.datasets.clips.error import ClipError
from pipeline.datasets.clips.fetch import ABOUT, Wanted, fetch_into
from pipeline.datasets.clips.site import Manners
from pipeline.datasets.http.part import sha256_of

# A cut file's times are rounded to milliseconds: a span begins and ends so much inside, that no
# frame from before or behind it slips in.
INSET = 0.001


@dataclass(frozen=True)
class Fetched:
    """A clip's file, the seconds from its beginning to the wanted start, title and description."""

    path: Path
    offset: float
    text: str

    def span(self, wanted: Wanted) -> tuple[float | None, float | None]:
        """Say where in this file the wanted seconds are; None for its beginning or end."""
        start, end = None, None
        if wanted.start is not None or self.offset:
            start = round(self.offset + INSET, 3)
        if wanted.end is not None:
            end = round(self.offset + wanted.end - (wanted.start or 0.0) - INSET, 3)
        return start, end


class Clips:
    """The clips kept in `folder`; what is there is whole, whatever happened on the way."""

    def __init__(self, folder: Path, manners: Manners) -> None:
        self.folder = folder
        self.manners = manners

    def kept(self, wanted: Wanted) -> Fetched | None:
        """Return a clip that is here already and undamaged; None for one that must be fetched."""
        place = self._place(wanted)
        try:
            about = json.loads((place / ABOUT).read_text(encoding="utf-8"))
            path = place / about["file"]
            if sha256_of(path) == about["sha256"]:
                return Fetched(path, about["offset"], about["text"])
        # A fault of this machine, too many open files say, tells nothing of the clip.
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            pass
        return None

    def fetch(self, wanted: Wanted) -> Fetched:
        """Fetch a clip, or return it if it is kept already; raises ClipError."""
        place = self._place(wanted)
        work = place.with_name(f"{place.name}.part")
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{place}.lock"):
            kept = self.kept(wanted)
            if kept is not None:
                return kept
            # What a killed run left is never gone on with: it may be of another version.
            for left in (work, place):
                shutil.rmtree(left, ignore_errors=True)
            work.mkdir()
            try:
                fetch_into(work, wanted, self.manners)
                os.replace(work, place)
            finally:
                shutil.rmtree(work, ignore_errors=True)
            kept = self.kept(wanted)
        if kept is None:
            told = f"{wanted.url}: came whole, and is damaged in {place}; check that disk"
            raise ClipError("download_failed", told)
        return kept

    def _place(self, wanted: Wanted) -> Path:
        return self.folder / wanted.key[:2] / wanted.key
