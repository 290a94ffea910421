"""What could not be read: a table by sample, modality and kind, and one line that tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import pandas as pd

from pipeline.ground.data_set import DataSet

# Of fetching a source. The first is for what is none of the others, and in `hgfn retry` for all.
DOWNLOAD_KINDS = (
    "download_failed",
    "private",
    "removed",
    "geo_blocked",
    "bot_check",
    "network",
)
# Of reading a medium or a text.
MEDIA_KINDS = (
    "missing_file",
    "not_an_image",
    "truncated",
    "too_large",
    "no_video_stream",
    "no_audio_stream",
    "no_frames",
    "decode_failed",
    "empty_text",
    "long_text",
)
# Of what a network made of it.
FEATURE_KINDS = ("not_finite",)
KINDS = (*DOWNLOAD_KINDS, *MEDIA_KINDS, *FEATURE_KINDS)


def check_kinds(kinds: Iterable[str]) -> None:
    """Raise ValueError that lists the kinds if one of `kinds` is unknown."""
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"unknown kind of failure {kind!r}; allowed: {', '.join(KINDS)}")


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

    Raises ValueError for a kind that is not in pipeline/ground/failures.py.
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


def join_failures(chosen: DataSet) -> str:
    """Write `data/<set>/failures.csv` from those of the index and of each modality; sum them up."""
    failures = [
        failure
        for stage in ("index", *chosen.modalities)
        for failure in read_failures(chosen.failures(stage))
    ]
    write_failures(chosen.folder / "failures.csv", failures)
    return summary(failures)
