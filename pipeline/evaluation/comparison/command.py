"""From a file and choices to a finished comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.datasets.views import read_views
from pipeline.evaluation.comparison.cells import compare
from pipeline.evaluation.comparison.report import write_report
from pipeline.evaluation.comparison.rows import Recipe, Row, comparison_rows
from pipeline.models.fusion import FUSIONS
from pipeline.mtl import METHODS
from pipeline.runtime import workers

# The paper's own pair, to which all differences are taken; first in the lists below.
REFERENCE = "hgfn + dmtl"
FUSION_NAMES = ("hgfn", *sorted(FUSIONS.keys() - {"hgfn"}))
METHOD_NAMES = ("dmtl", *sorted(METHODS.keys() - {"dmtl"}))


def run_comparison(
    path: Path,
    seeds: int,
    out: Path,
    fusions: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    recipe: Recipe | None = None,
) -> list[tuple[str, float]]:
    """Compare the chosen pairs (all, without a choice); return each row with its mean MAP.

    Raises ValueError with one line for an unknown name or a bad file.
    """
    recipe = recipe or Recipe()
    fusions = _chosen("fusion", fusions, FUSION_NAMES)
    methods = _chosen("mtl", methods, METHOD_NAMES)
    views = read_views(path)
    rows = comparison_rows(list(views.features), fusions, methods)
    if all(row.name != REFERENCE for row in rows):
        rows = [Row("hgfn", "dmtl"), *rows]
    results = compare(path, views, rows, range(seeds), out, workers(), recipe)
    table = write_report(out, path.stem, views, results, recipe, REFERENCE)
    return list(zip(table["row"], table["map"], strict=True))


def _chosen(option: str, given: Iterable[str] | None, allowed: Sequence[str]) -> list[str]:
    if unknown := [name for name in given or () if name not in allowed]:
        raise ValueError(f"--{option} is {unknown[0]!r}; allowed: {', '.join(allowed)}")
    return [name for name in allowed if name in given] if given else list(allowed)
