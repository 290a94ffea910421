"""Why clips did not come: a small table beside the manifest in the raw folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

FILE = "failures.csv"
COLUMNS = ["id", "kind", "message"]

# Kind and message, by the clip's id.
Lost = dict[str, tuple[str, str]]


def write_lost(raw: Path, lost: Lost) -> None:
    """Write the table, sorted; no file where every clip came."""
    if lost:
        rows = [(identity, *why) for identity, why in sorted(lost.items())]
        pd.DataFrame(rows, columns=COLUMNS).to_csv(raw / FILE, index=False, lineterminator="\n")


def read_lost(raw: Path) -> Lost:
    """Read the table; empty where there is none."""
    if not (raw / FILE).is_file():
        return {}
    table = pd.read_csv(raw / FILE, dtype=str, keep_default_na=False)
    return {
        identity: (kind, message)
        for identity, kind, message in table[COLUMNS].itertuples(index=False, name=None)
    }


def lost_note(lost: Lost) -> str:
    """Say how many clips did not come, by kind: `3 not fetched (private 2, removed 1)`."""
    kinds = sorted(Counter(kind for kind, _ in lost.values()).items())
    return f"{len(lost)} not fetched ({', '.join(f'{kind} {count}' for kind, count in kinds)})"
