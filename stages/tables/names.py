"""Names of rows: `<fusion>_<method>`."""

from __future__ import annotations

from pipeline.models.fusion import FUSIONS
from pipeline.mtl import METHODS


def parse_row(row: str) -> tuple[str, str]:
    """Split a row's name; raises ValueError that lists the known ones."""
    fusion, _, method = row.partition("_")
    if fusion not in FUSIONS or method not in METHODS:
        raise ValueError(
            f"unknown row {row!r}; allowed: <fusion>_<method> with one of {', '.join(FUSIONS)} "
            f"and one of {', '.join(METHODS)}"
        )
    return fusion, method
