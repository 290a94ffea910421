"""What could not be read: a table by sample, modality and kind, and one line that tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import pandas as pd

from pipeline.kinds import check_kinds

COLUMNS = ("id", "modality", "kind", "message")


@dataclass(frozen=True, order=True)
class Failure:
    """A fault of one sample's modality, its kind and message; a fault need not make it absent."""

    id: str
    modality: str
    kind: str
    message: str


def write_failures(path: Path, failures: Sequence[Failure]) -> None:
    """Write failures.csv, sorted, with its header even when there is none.

    Raises ValueError for a kind that is not in pipeline/kinds.py.
    """
    check_kinds([failure.kind for failure in failures])
    rows = [astuple(failure) for failure in sorted(failures)]
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(path, index=False, lineterminator="\n")


def read_failures(path: Path) -> list[Failure]:
    """Read a failures.csv."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return [Failure(*row) for row in table[list(COLUMNS)].itertuples(index=False, name=None)]


def summary(failures: Sequence[Failure]) -> str:
    """Say how many faults there are, by kind: `7 faults (missing_file 4, truncated 3)`."""
    if not failures:
        return "no fault"
    kinds = Counter(failure.kind for failure in failures)
    parts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    return f"{len(failures)} faults ({parts})"
