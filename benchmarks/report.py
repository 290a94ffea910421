"""The measurements as tables for people and as one dictionary for programs."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from benchmarks.growth import Endurance, Point
from benchmarks.timing import Ratio

MIB = 2**20


def ratio_table(ratios: list[Ratio]) -> Table:
    """One row a ratio, its limit, and both times in milliseconds."""
    table = Table(title="Ratios (median of neighbouring repetitions; ratio of the minima)")
    for column in ("what", "median", "minima", "limit", "ms", "against ms"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for ratio in ratios:
        verdict = "" if ratio.limit is None else f"{'kept' if ratio.kept else 'MISSED'}"
        limit = "" if ratio.limit is None else f"{ratio.limit:.2f} {verdict}"
        table.add_row(
            ratio.name,
            f"{ratio.value:.3f}",
            f"{ratio.of_minima:.3f}",
            limit,
            f"{1e3 * ratio.measured.median:.2f}",
            f"{1e3 * ratio.reference.median:.2f}",
        )
    return table


def growth_table(title: str, points: list[Point]) -> Table:
    """One row a size; each also relative to the first."""
    table = Table(title=title)
    for column in ("size", "median ms", "minimum ms", "x first", "graph MiB", "parameters"):
        table.add_column(column, justify="left" if column == "size" else "right")
    for point in points:
        table.add_row(
            point.name,
            f"{1e3 * point.time.median:.2f}",
            f"{1e3 * point.time.minimum:.2f}",
            f"{point.time.minimum / points[0].time.minimum:.2f}",
            f"{point.graph_bytes / MIB:.1f}",
            f"{point.parameters:,}",
        )
    return table


def endurance_table(found: Endurance) -> Table:
    """A step early in training beside one late."""
    table = Table(title="A DMTL step as epochs go by")
    for column in ("step", "ms a step", "graph MiB", "state MiB", "process peak MiB"):
        table.add_column(column, justify="right")
    rows = (found.seconds, found.graph_bytes, found.state_bytes, found.peak_bytes)
    for k, step in enumerate((found.early, found.late)):
        seconds, *sizes = (values[k] for values in rows)
        table.add_row(str(step), f"{1e3 * seconds:.2f}", *(f"{size / MIB:.2f}" for size in sizes))
    return table


def as_json(
    ratios: list[Ratio], modalities: list[Point], tasks: list[Point], epochs: Endurance
) -> dict[str, Any]:
    """Everything measured, seconds and bytes, without rounding."""
    return {
        "ratios": {
            r.name: {
                "median": r.value,
                "of_minima": r.of_minima,
                "limit": r.limit,
                "seconds": r.measured.seconds,
                "reference_seconds": r.reference.seconds,
            }
            for r in ratios
        },
        "growth": {
            point.name: {
                "seconds": point.time.seconds,
                "graph_bytes": point.graph_bytes,
                "parameters": point.parameters,
            }
            for point in modalities + tasks
        },
        "epochs": vars(epochs),
    }
