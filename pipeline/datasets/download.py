"""The raw folder of a data set, filled from its source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.datasets.crisismmd_source import fill_crisismmd
from pipeline.datasets.posts_source import fill_posts
from pipeline.datasets.source import check_source
from pipeline.datasets.youtube_source import fill_youtube
from pipeline.ground.data_set import data_set
from pipeline.ground.temporaries import replaced_folder

FILL: dict[str, Callable[[Path, Path], str]] = {
    "tweets": fill_crisismmd,
    "clips": fill_youtube,
    "posts": fill_posts,
}


def fill_raw(name: str, source: str, raw: Path) -> str:
    """Replace a data set's raw folder by the contents of its source; returns a line for the user.

    Raises ValueError for a source that is invalid (see `check_source`) or cannot be read; then
    `raw` does not change.
    """
    check_source(name, source)
    with replaced_folder(raw) as folder:
        return f"{name}: {FILL[data_set(name).form](Path(source), folder)}"
