"""Run all benchmarks and print what was found; a missed limit is shown, and is no failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from benchmarks import growth, steps, vertices
from benchmarks.problem import Size
from benchmarks.report import as_json, endurance_table, growth_table, ratio_table


def main(
    repeats: Annotated[int, typer.Option(help="Timed repetitions of each piece of work.")] = 40,
    late: Annotated[int, typer.Option(help="Step at which the long run is looked at again.")] = 200,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write every measurement here.")
    ] = None,
) -> None:
    """Measure speed and memory on one thread, as ratios within this run."""
    torch.set_num_threads(1)
    console, size = Console(), Size()
    with console.status("measuring"):
        # First, while the process' peak is still its own.
        epochs = growth.measure_epochs(size, late=late)
        ratios = steps.measure(size, repeats) + vertices.measure(size, repeats)
        modalities = growth.measure_modalities(size, max(repeats // 4, 1))
        tasks = growth.measure_tasks(size, max(repeats // 4, 1))
    console.print(ratio_table(ratios))
    console.print(endurance_table(epochs))
    console.print(growth_table("Modalities (7 tasks, levels up to three modalities)", modalities))
    console.print(growth_table("Tasks (3 modalities)", tasks))
    if json_file:
        json_file.write_text(json.dumps(as_json(ratios, modalities, tasks, epochs), indent=2))


if __name__ == "__main__":
    typer.run(main)
