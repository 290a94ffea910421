"""Failures: what could not be read, one row per sample, modality and kind."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import pandas as pd

from pipeline.ground.csv_tables import read_csv, write_csv
from pipeline.ground.data_set import DataSet

# Kinds of failed downloads; the first is for all causes without a kind of their own, the second
# for files of a local source.
DOWNLOAD_KINDS = (
    "download_failed",
    "not_copied",
    "private",
    "removed",
    "geo_blocked",
    "bot_check",
    "network",
)
# Kinds of media and texts that cannot be read.
MEDIA_KINDS = (
    "missing_file",
    "not_an_image",
    "truncated",
    "too_large",
    "no_video_stream",
    "no_audio_stream",
    "no_frames",
    "decode_failed",
    "decoder_crashed",
    "empty_text",
    "long_text",
)
# Kinds of unusable network outputs.
FEATURE_KINDS = ("not_finite",)
KINDS = (*DOWNLOAD_KINDS, *MEDIA_KINDS, *FEATURE_KINDS)

COLUMNS = ("id", "modality", "kind", "message")
RETRY = "HGFN_RETRY"


@dataclass(frozen=True, order=True)
class Failure:
    """A failure of one sample's modality; the modality may still be present in part."""

    id: str
    modality: str
    kind: str
    message: str


def check_kinds(kinds: Iterable[str]) -> None:
    """Raise ValueError listing the known kinds if one of `kinds` is unknown."""
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"unknown kind of failure {kind!r}; allowed: {', '.join(KINDS)}")


def retried_kinds() -> frozenset[str]:
    """Return the kinds whose cached failures are tried again (HGFN_RETRY, set by `hgfn retry`)."""
    kinds = frozenset(os.environ.get(RETRY, "").split(",")) - {""}
    check_kinds(sorted(kinds))
    return kinds


def write_failures(path: Path, failures: Sequence[Failure]) -> None:
    """Write failures.csv, sorted; without failures it has only its header.

    Raises ValueError for a kind that is not in `KINDS`.
    """
    check_kinds([failure.kind for failure in failures])
    rows = [astuple(failure) for failure in sorted(failures)]
    write_csv(path, pd.DataFrame(rows, columns=list(COLUMNS), dtype=object))


def read_failures(path: Path) -> list[Failure]:
    """Read a failures.csv."""
    return [Failure(*row) for row in read_csv(path, COLUMNS)]


def join_failures(data: DataSet) -> list[Failure]:
    """Join the failures of the index and of each modality into `data/<set>/failures.csv`."""
    failures = [
        failure
        for stage in ("index", *data.modalities)
        for failure in read_failures(data.failures(stage))
    ]
    write_failures(data.folder / "failures.csv", failures)
    return failures


def summary(failures: Sequence[Failure]) -> str:
    """Count failures by kind: `7 failures (missing_file 4, truncated 3)`."""
    if not failures:
        return "no failures"
    kinds = Counter(failure.kind for failure in failures)
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    return f"{len(failures)} failure{'s' if len(failures) > 1 else ''} ({counts})"
