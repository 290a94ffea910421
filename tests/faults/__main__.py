"""Run the experiments on faults and write their results to docs/reliability.md."""

from __future__ import annotations

import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from tests.faults.experiment import ROOT, TOPICS, experiments

PAGE = ROOT / "docs" / "reliability.md"
HEAD = """# Reliability

What was tried with kills, full disks and damaged files, and how often the promise held.
`python -m tests.faults` runs all experiments and writes this page; the tests run a selection.
"""
PACKAGES = ("dvc", "h5py", "pyarrow", "safetensors", "torch")
ONLY = typer.Option(help=f"Only this topic ({', '.join(TOPICS)}); may be repeated.")


def main(only: Annotated[list[str] | None, ONLY] = None) -> None:
    """Run all experiments and write docs/reliability.md; with --only, only print.

    The exit code is 1 if a promise was broken.
    """
    if unknown := sorted(set(only or ()) - TOPICS.keys()):
        raise typer.BadParameter(f"unknown topic {unknown[0]!r}; allowed: {', '.join(TOPICS)}")
    lines, broken = [HEAD, machine()], False
    for topic in only or TOPICS:
        lines += ["", f"## {TOPICS[topic]}", ""]
        lines += ["| promise | tried | held | figures |", "|---|---|---|---|"]
        for each in experiments(topic):
            with tempfile.TemporaryDirectory(prefix="faults-") as folder:
                outcome = each.run(each.long, Path(folder))
            broken |= outcome.held < outcome.tried
            cells = (each.promise, outcome.tried, outcome.held, outcome.figures)
            lines.append(f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |")
            print(lines[-1], flush=True)
    if not only:
        PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    raise typer.Exit(broken)


def machine() -> str:
    """Describe the machine and the versions of the packages that write files."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    system = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return f"On {system}, {os.cpu_count()} cores; Python {platform.python_version()}, {packages}."


if __name__ == "__main__":
    typer.run(main)
