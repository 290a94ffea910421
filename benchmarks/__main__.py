"""Run the benchmarks and print their results; a missed limit is printed and is no error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from benchmarks.report import lines_table
from benchmarks.section import Effort
from benchmarks.sections import SECTIONS


def main(
    repeats: Annotated[int, typer.Option(help="Timed repetitions of each measurement.")] = 40,
    late: Annotated[int, typer.Option(help="Late step at which the long run is measured.")] = 200,
    only: Annotated[
        list[str] | None, typer.Option(help=f"Run only this section: {', '.join(SECTIONS)}.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write every measurement to this file.")
    ] = None,
) -> None:
    """Measure speed and memory on one thread, as ratios within this run."""
    chosen = _chosen(only)
    torch.set_num_threads(1)
    console, effort = Console(), Effort(repeats, late)
    lines, values = [], dict[str, Any]()
    for name in chosen:
        with console.status(f"measuring {name}"):
            measured = SECTIONS[name](effort)
        for table in measured.tables:
            console.print(table)
        lines += measured.lines
        values[name] = measured.values
    if lines:
        console.print(lines_table(lines))
    if json_file:
        json_file.write_text(json.dumps(values, indent=2))


def _chosen(only: list[str] | None) -> list[str]:
    unknown = sorted(set(only or ()) - set(SECTIONS))
    if unknown:
        raise typer.BadParameter(f"--only {unknown[0]}; allowed: {', '.join(SECTIONS)}")
    return [name for name in SECTIONS if not only or name in only]


if __name__ == "__main__":
    typer.run(main)
