"""The raw folder of a data set, filled from its source."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.datasets.crisismmd_source import fill_crisismmd
from pipeline.datasets.source import check_source
from pipeline.datasets.youtube_source import fill_youtube
from pipeline.ground.data_set import data_set
from pipeline.ground.system_errors import naming
from pipeline.ground.temporaries import remove_left_over, temporary_name

FILL: dict[str, Callable[[Path, Path], str]] = {
    "tweets": fill_crisismmd,
    "clips": fill_youtube,
}


def fill_raw(name: str, source: str, raw: Path) -> str:
    """Replace a data set's raw folder by the contents of its source; returns a line for the user.

    Raises ValueError for a source that is invalid (see `check_source`) or cannot be read; then
    `raw` does not change.
    """
    check_source(name, source)
    with _replacing(raw) as folder:
        return f"{name}: {FILL[data_set(name).form](Path(source), folder)}"


@contextmanager
def _replacing(raw: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `raw` when the block succeeds.

    Such folders of killed runs are removed.
    """
    raw.parent.mkdir(parents=True, exist_ok=True)
    remove_left_over(raw.parent, of=raw.name)
    temporary, old = temporary_name(raw), temporary_name(raw)
    try:
        with naming(raw, temporary):
            temporary.mkdir()
            yield temporary
        # Moved away before it is removed: an interrupted removal would leave half of it as `raw`.
        if raw.exists():
            os.replace(raw, old)
        os.replace(temporary, raw)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
