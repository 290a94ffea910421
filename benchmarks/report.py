"""The measurements as tables for people and as dictionaries for programs."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from benchmarks.growth import Endurance, Point
from benchmarks.timing import Line, Ratio

MIB = 2**20

VERDICTS = {True: "met", False: "MISSED", None: "skipped"}


def ratio_table(ratios: list[Ratio]) -> Table:
    """One row per ratio, its limit, and both times in milliseconds."""
    table = Table(title="Ratios (median of neighbouring repetitions; ratio of the minima)")
    for column in ("what", "median", "minima", "limit", "ms", "against ms"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for ratio in ratios:
        verdict = "" if ratio.limit is None else f"{'met' if ratio.met else 'MISSED'}"
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
    """One row per size, with its time relative to the first."""
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


def endurance_table(endurance: Endurance) -> Table:
    """A step early in training beside one late."""
    table = Table(title="A DMTL step as epochs go by")
    for column in ("step", "ms a step", "graph MiB", "state MiB", "process peak MiB"):
        table.add_column(column, justify="right")
    rows = (
        endurance.seconds,
        endurance.graph_bytes,
        endurance.state_bytes,
        endurance.peak_bytes,
    )
    for k, step in enumerate((endurance.early, endurance.late)):
        seconds, *sizes = (values[k] for values in rows)
        table.add_row(str(step), f"{1e3 * seconds:.2f}", *(f"{size / MIB:.2f}" for size in sizes))
    return table


def lines_table(lines: list[Line]) -> Table:
    """One row per line: the number, its limit, and whether it was met."""
    table = Table(title="Extraction (medians of neighbouring repetitions)")
    for column in ("what", "measured", "limit", "", "details"):
        table.add_column(column, justify="right" if column in ("measured", "limit") else "left")
    for line in lines:
        measured = "-" if line.value is None else f"{line.value:.2f} x"
        limit = f"{'>=' if line.at_least else '<='} {line.limit:.2f} x"
        table.add_row(line.what, measured, limit, VERDICTS[line.met], line.detail)
    return table


def lines_values(lines: list[Line]) -> dict[str, Any]:
    """Each line by its name, without rounding."""
    return {line.what: vars(line) | {"met": line.met} for line in lines}


def ratios_values(ratios: list[Ratio]) -> dict[str, Any]:
    """Each ratio by its name, with the seconds of every repetition."""
    return {
        r.name: {
            "median": r.value,
            "of_minima": r.of_minima,
            "limit": r.limit,
            "seconds": r.measured.seconds,
            "reference_seconds": r.reference.seconds,
        }
        for r in ratios
    }


def points_values(points: list[Point]) -> dict[str, Any]:
    """Each size by its name: seconds of every repetition, bytes and parameters."""
    return {
        point.name: {
            "seconds": point.time.seconds,
            "graph_bytes": point.graph_bytes,
            "parameters": point.parameters,
        }
        for point in points
    }
