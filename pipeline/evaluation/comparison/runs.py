"""runs.csv: one line a row and seed, kept while the comparison runs, so that it can resume."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from pipeline.datasets.views import Views
from pipeline.evaluation.comparison.rows import Recipe, Result
from pipeline.ground.temporaries import written_whole

# Part of every identity: raise it where the same data and recipe no longer give the same scores.
VERSION = 2
_NUMBERS = {"int": int, "float": float, "str": str}
_COLUMNS = [field.name for field in fields(Result)]

Results = dict[tuple[str, int], Result]


def identity(views: Views, recipe: Recipe) -> str:
    """Digest all that decides a result beside its row and seed: the arrays and the recipe."""
    digest = hashlib.sha256(json.dumps([VERSION, asdict(recipe)], sort_keys=True).encode())
    split = np.array("none") if views.split is None else views.split
    arrays = {**views.features, "": views.labels, " groups": views.groups, " split": split}
    for name, array in arrays.items():
        digest.update(f"{name} {array.shape} {array.dtype} {views.names}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def read_runs(path: Path, expected: str) -> Results:
    """Read the results there are; none where there is no file.

    Raises ValueError where they are of other data, settings or columns: mixing them would compare
    what cannot be compared.
    """
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns, lines = reader.fieldnames, list(reader)
    cure = "take another --out folder, or delete the file"
    if columns != ["identity", *_COLUMNS]:
        raise ValueError(f"{path}: not a table of this command's runs; {cure}")
    found: Results = {}
    for number, line in enumerate(lines, start=2):
        if line["identity"] != expected:
            raise ValueError(f"{path}: line {number} is of other data or settings; {cure}")
        try:
            result = _result(line)
        except (TypeError, ValueError):
            raise ValueError(f"{path}: line {number} is damaged; {cure}") from None
        found[result.row, result.seed] = result
    return found


def write_runs(path: Path, results: Iterable[Result], identity: str) -> None:
    """Write all results, sorted; the file is complete at every moment."""
    ordered = sorted(results, key=lambda result: (result.row, result.seed))
    with (
        written_whole(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, ["identity", *_COLUMNS], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"identity": identity, **asdict(result)} for result in ordered)


def _result(line: Mapping[str, str]) -> Result:
    return Result(**{f.name: _NUMBERS[str(f.type)](line[f.name]) for f in fields(Result)})
