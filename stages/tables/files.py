"""Where the tables' stages keep what they make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path("tables")
RESULTS = FOLDER / "results"
TABLES = RESULTS / "tables"
PICTURES = RESULTS / "pictures"


def tuned(name: str, row: str) -> Path:
    """The chosen learning rate of a row, on which its cells depend."""
    return FOLDER / "tuned" / name / f"{row}.json"


def trials(name: str, row: str) -> Path:
    """All trials of a row, on which no cell depends."""
    return FOLDER / "trials" / name / f"{row}.json"


def probabilities(name: str, row: str, seed: int) -> Path:
    """A cell's probabilities of the validation and test side."""
    return FOLDER / "cells" / name / row / f"{seed}.parquet"


def facts(name: str, row: str, seed: int) -> Path:
    """A cell's parameter count, epochs and learning rate."""
    return FOLDER / "cells" / name / row / f"{seed}.json"


def timing(name: str, row: str, seed: int) -> Path:
    """A cell's training time: never the same twice, so kept apart from all that is."""
    return FOLDER / "times" / name / row / f"{seed}.json"


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
