"""The rows of a manifest whose clips are on the web, and what became of them."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from pipeline.datasets.clips.error import ClipError
from pipeline.datasets.clips.fetch import Wanted
from pipeline.datasets.clips.kept import Clips, Fetched
from pipeline.datasets.clips.lost import Lost
from pipeline.ground.progress import progress

# Kinds that concern a site, not one clip: after so many in a row it is asked for nothing more.
GENERAL = ("network", "bot_check")
PATIENCE = 5

# A manifest's row, by column.
Row = dict[str, Any]


@dataclass
class _Round:
    """One pass over the clips; `failed` counts, by site, failures in a row that concern all."""

    clips: Clips
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked: bool = False

    def get(self, wanted: Wanted) -> Fetched:
        """Return a clip, kept or fetched after a pause; raises ClipError."""
        return self.clips.kept(wanted) or self._fetch(wanted, str(urlsplit(wanted.url).hostname))

    def _fetch(self, wanted: Wanted, site: str) -> Fetched:
        for kind in GENERAL:
            if self.failed[site, kind] >= PATIENCE:
                told = f"not asked for after {PATIENCE} such failures in a row"
                raise ClipError(kind, f"{wanted.url}: {told}")
        if self.asked:
            time.sleep(self.clips.manners.pause)
        self.asked = True
        try:
            fetched = self.clips.fetch(wanted)
        except ClipError as error:
            self._count(site, error.kind)
            raise
        self._count(site, "")
        return fetched

    def _count(self, site: str, kind: str) -> None:
        for general in GENERAL:
            self.failed[site, general] = self.failed[site, general] + 1 if kind == general else 0


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
                wanted = Wanted(url, _time(row["start"]), _time(row["end"]))
                _adapt(row, wanted, this.get(wanted), raw)
            except ClipError as error:
                lost[row["id"]] = (error.kind, str(error))
                row["source"] = f"clips/{row['id']}.mkv"  # where it would be
            advance()
    return lost


def _time(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _adapt(row: Row, wanted: Wanted, fetched: Fetched, raw: Path) -> None:
    row["start"], row["end"] = fetched.span(wanted)
    row["description"] = row["description"] or fetched.text
    row["source"] = f"clips/{row['id']}{fetched.path.suffix}"
    shutil.copyfile(fetched.path, raw / row["source"])
