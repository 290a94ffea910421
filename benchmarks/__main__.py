"""Run the benchmarks and print their results; a missed limit is printed and is not an error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from benchmarks import (
    decoding,
    duplicates,
    elmo,
    extraction,
    gradnorm,
    growth,
    inception,
    memory,
    predicting,
    streaming,
    text_tower,
    vision,
)
from benchmarks.timing import Effort, Line

# By name, in the order of running.
SECTIONS: dict[str, Callable[[Effort], list[Line]]] = {
    "epochs": growth.measure_epochs,
    "training": gradnorm.measure,
    "growth": growth.measure,
    "duplicates": duplicates.measure,
    "decoding": decoding.measure,
    "visual": inception.measure,
    "text": lambda effort: [*elmo.measure(effort), *text_tower.measure(effort)],
    "vision": vision.measure,
    "extraction": extraction.measure,
    "memory": memory.measure,
    "streaming": streaming.measure,
    "predict": predicting.measure,
}
VERDICTS = {True: "met", False: "MISSED", None: "skipped"}


def main(
    repeats: Annotated[int, typer.Option(help="Timed repetitions of each measurement.")] = 40,
    late: Annotated[
        int, typer.Option(min=20, help="Late step at which the long run is measured.")
    ] = 200,
    only: Annotated[
        list[str] | None, typer.Option(help=f"Run only this section: {', '.join(SECTIONS)}.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write every measurement to this file.")
    ] = None,
) -> None:
    """Measure speed and memory on one thread, as ratios within this run."""
    if unknown := sorted(set(only or ()) - set(SECTIONS)):
        raise typer.BadParameter(f"--only {unknown[0]}; allowed: {', '.join(SECTIONS)}")
    torch.set_num_threads(1)
    console, effort = Console(), Effort(repeats, late)
    measured = dict[str, list[Line]]()
    for name in (name for name in SECTIONS if not only or name in only):
        with console.status(f"measuring {name}"):
            measured[name] = SECTIONS[name](effort)
    console.print(_table(line for lines in measured.values() for line in lines))
    if json_file:
        values = {
            name: {line.what: vars(line) | {"met": line.met} for line in lines}
            for name, lines in measured.items()
        }
        json_file.write_text(json.dumps(values, indent=2))


def _table(lines: Iterable[Line]) -> Table:
    """One row per line: the number, its limit, and whether it was met."""
    table = Table(title="Ratios (medians of neighbouring repetitions)")
    for column in ("what", "measured", "limit", "", "details"):
        table.add_column(column, justify="right" if column in ("measured", "limit") else "left")
    for line in lines:
        measured = "-" if line.value is None else f"{line.value:.2f} x"
        limit, verdict = "", ""
        if line.limit is not None:
            limit = f"{'>=' if line.at_least else '<='} {line.limit:.2f} x"
            verdict = VERDICTS[line.met]
        table.add_row(line.what, measured, limit, verdict, line.detail)
    return table


if __name__ == "__main__":
    typer.run(main)
