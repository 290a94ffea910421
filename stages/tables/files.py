"""Where the tables' stages keep what they make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path("tables")
RESULTS = FOLDER / "results"
TABLES = RESULTS / "tables"
CELLS = FOLDER / "cells"
PICTURES = RESULTS / "pictures"


def tuned(name: str, row: str) -> Path:
    """The chosen learning rate of a row, on which its cells depend."""
    return FOLDER / "tuned" / name / f"{row}.json"


def trials(name: str, row: str) -> Path:
    """All trials of a row, on which no cell depends."""
    return FOLDER / "trials" / name / f"{row}.json"


class Place(NamedTuple):
    """Where a cell is: a set's row, and a seed in the folder of its span."""

    name: str
    row: str
    span: str
    seed: int

    @property
    def probabilities(self) -> Path:
        """The cell's probabilities of the validation and test side."""
        return self._file(CELLS, "parquet")

    @property
    def facts(self) -> Path:
        """The cell's parameter count, epochs and learning rate."""
        return self._file(CELLS, "json")

    @property
    def timing(self) -> Path:
        """The cell's training time: never the same twice, so kept apart from all that is."""
        return self._file(FOLDER / "times", "json")

    def _file(self, folder: Path, suffix: str) -> Path:
        return folder / self.name / self.row / self.span / f"{self.seed}.{suffix}"


def place_of_one(name: str, row: str, seed: int) -> Place:
    """Where a cell is whose seed is an entry by itself, or the tuning's."""
    return Place(name, row, str(seed), seed)


def write_json(path: Path, values: object) -> None:
    """Write JSON that git can compare."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; raises ValueError with the cure where a cell is missing."""
    require(path)
    return json.loads(path.read_text())


def require(path: Path) -> Path:
    """Return the path; raises ValueError with the cure where it does not exist."""
    if not path.exists():
        raise ValueError(f"{path} is missing; run `dvc repro tables/dvc.yaml` or `dvc pull`")
    return path
