"""The rows of a manifest whose clips are on the web, and what became of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.datasets.clip_error import ClipError
from pipeline.datasets.clips import Clips, Fetched, Wanted
from pipeline.datasets.lost_clips import Lost
from pipeline.progress import progress

# Kinds that concern all clips, not one: after so many in a row nothing more is asked for.
GENERAL = ("network", "bot_check")
PATIENCE = 5

# A manifest's row, by column.
Row = dict[str, Any]


@dataclass
class _Round:
    """One pass over the clips: `row` counts failures in a row that concern all of them."""

    clips: Clips
    row: int = 0
    asked: bool = False
    last: str = ""

    def get(self, wanted: Wanted) -> Fetched:
        """Return a clip, kept or fetched after a pause; raises ClipError."""
        kept = self.clips.kept(wanted)
        if kept is not None:
            return kept
        if self.row >= PATIENCE:
            raise ClipError(
                self.last, f"{wanted.url}: not asked for after {PATIENCE} such failures in a row"
            )
        if self.asked:
            time.sleep(self.clips.manners.pause)
        self.asked = True
        try:
            fetched = self.clips.fetch(wanted)
        except ClipError as error:
            self.row = self.row + 1 if error.kind in GENERAL else 0
            self.last = error.kind
            raise
        self.row = 0
        return fetched


def fetch_rows(rows: list[Row], urls: Sequence[str], raw: Path, clips: Clips) -> Lost:
    """Fetch the clip of each row into `raw`/clips and adapt the row to what came, in place.

    Its span then counts from its own file's beginning, and an empty description becomes the
    site's. Returned is why a clip did not come, by id; what came once is not asked for again.
    """
    lost: Lost = {}
    this = _Round(clips)
    with progress("clips", len(rows)) as advance:
        for row, url in zip(rows, urls, strict=True):
            try:
                fetched = this.get(Wanted(url, _time(row["start"]), _time(row["end"])))
                _adapt(row, fetched, raw)
            except ClipError as error:
                lost[row["id"]] = (error.kind, str(error))
                row["source"] = f"clips/{row['id']}.mkv"  # where it would be
            advance()
    return lost


def _time(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _adapt(row: Row, fetched: Fetched, raw: Path) -> None:
    start, end = _time(row["start"]), _time(row["end"])
    if start is not None or fetched.offset:
        row["start"] = round(fetched.offset, 3)
    if end is not None:
        row["end"] = round(fetched.offset + end - (start or 0.0), 3)
    row["description"] = row["description"] or fetched.text
    row["source"] = f"clips/{row['id']}{fetched.path.suffix}"
    shutil.copyfile(fetched.path, raw / row["source"])
