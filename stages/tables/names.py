"""Names of rows: `<fusion>_<method>`."""

from __future__ import annotations

from typing import get_args

from pipeline.mtl import METHODS
from pipeline.params import FusionParams

FUSIONS: tuple[str, ...] = get_args(FusionParams.model_fields["name"].annotation)


def parse_row(row: str) -> tuple[str, str]:
    """Split a row's name; raises ValueError that lists the known ones."""
    fusion, _, method = row.partition("_")
    if fusion not in FUSIONS or method not in METHODS:
        raise ValueError(
            f"unknown row {row!r}; allowed: <fusion>_<method> with one of {', '.join(FUSIONS)} "
            f"and one of {', '.join(METHODS)}"
        )
    return fusion, method
