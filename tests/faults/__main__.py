"""Run the experiments on faults, and write docs/reliability.md with what they showed."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from tests.faults.experiment import ROOT, Experiment, Outcome, experiments

PAGE = ROOT / "docs" / "reliability.md"
HEAD = """# Reliability

What was tried with kills, full disks and damaged files, and how often the promise held.
`python -m tests.faults` runs all experiments and writes this page; the tests run a selection.
"""
PACKAGES = ("dvc", "h5py", "pyarrow", "safetensors", "torch")

Results = Mapping[str, Sequence[tuple[Experiment, Outcome]]]


Topics = Annotated[list[str] | None, typer.Option(help="Only this topic; may be repeated.")]


def main(only: Topics = None) -> None:
    """Run all experiments and write docs/reliability.md; with --only, only print.

    The exit code is 1 if a promise was broken.
    """
    try:
        chosen = experiments(only or ())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    results = {topic: [(each, run(each)) for each in listed] for topic, listed in chosen.items()}
    if not only:
        PAGE.write_text(page(results), encoding="utf-8")
    held = [done.held == done.tried for rows in results.values() for _, done in rows]
    raise typer.Exit(0 if all(held) else 1)


def run(experiment: Experiment) -> Outcome:
    """Run one experiment with its long number of tries, and print its row."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        outcome = experiment.run(experiment.long, Path(folder))
    print(row(experiment, outcome), flush=True)
    return outcome


def page(results: Results) -> str:
    """Return the page: the machine, then one table a topic."""
    lines = [HEAD, machine()]
    for topic, rows in results.items():
        lines += ["", f"## {topic.replace('_', ' ').capitalize()}", ""]
        lines += ["| promise | tried | held | figures |", "|---|---|---|---|"]
        lines += [row(experiment, outcome) for experiment, outcome in rows]
    return "\n".join(lines) + "\n"


def row(experiment: Experiment, outcome: Outcome) -> str:
    """Return an experiment's row of the table."""
    cells = (experiment.promise, outcome.tried, outcome.held, outcome.figures)
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def machine() -> str:
    """Describe the machine and the versions of the packages that write files."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return f"On {system}, {os.cpu_count()} cores; Python {platform.python_version()}, {packages}."


if __name__ == "__main__":
    typer.run(main)
